"""Pictures of runs. Every function takes runs (`bz.load_runs`, records, paths) and returns matplotlib axes;
`azimuth_over_time` takes what a model answered to a recording.

    >>> import bastzoo as bz
    >>> runs = bz.load_runs("leaderboards/records/plugins")
    >>> axes = bz.plot.azimuth_error(runs)
    >>> len(axes) > 0
    True

`figure` is a matplotlib figure to draw into, else a new one; `style` is `paper`, `slides` or `dark`.
"""

from bastzoo.plots.answers import (
    calibration,
    class_confusion,
    elevation,
    learning_curves,
    sources_found,
)
from bastzoo.plots.around import (
    azimuth_error,
    bias,
    hemifields,
    prediction_distribution,
    true_against_predicted,
)
from bastzoo.plots.conditions import (
    class_error,
    duration,
    frequency_error,
    listener_error,
    room_error,
    snr,
)
from bastzoo.plots.recording import azimuth_over_time
from bastzoo.plots.results import NothingToDrawError

__all__ = [
    "NothingToDrawError",
    "azimuth_error",
    "azimuth_over_time",
    "bias",
    "calibration",
    "class_confusion",
    "class_error",
    "duration",
    "elevation",
    "frequency_error",
    "hemifields",
    "learning_curves",
    "listener_error",
    "prediction_distribution",
    "room_error",
    "snr",
    "sources_found",
    "true_against_predicted",
]
