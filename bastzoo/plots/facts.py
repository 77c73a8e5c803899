"""What a report's page says of a design beside its pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from bastzoo.boards.rows import ad_of
from bastzoo.boards.tables import seed_words
from bastzoo.plots.results import Design, plain

_FIGURES = {
    "ad_median": ("median AD", "°"),
    "ad_p90": ("AD, 90th percentile", "°"),
    "acc_10": ("within 10°", "%"),
    "front_back_rate": ("front and back exchanged", "%"),
    "left_right_rate": ("left and right exchanged", "%"),
    "folded_ad": ("AD, front and back taken for the same", "°"),
    "elevation_error": ("elevation error", "°"),
    "class_accuracy": ("class accuracy", "%"),
    "calibration_error": ("calibration error", "%"),
    "invalid": ("answers without a direction", ""),
}


def facts_of(design: Design) -> dict[str, Any]:
    """Its name, what it was tested on, figures (means over seeds), and the commands that made it."""
    tests = design.evaluations
    counts = np.array(tests[0].by_sound["clips"])
    ad, (low, high) = ad_of(tests)
    seeds = [r.record.experiment.seed for r in design.results if r.record.experiment is not None]
    tested = design.first.tested
    return {
        "name": plain(_whole_name(design), 120),
        "label": design.label,
        "ad": f"{ad:.2f}°",
        "interval": f"{low:.2f} to {high:.2f}" if np.isfinite([low, high]).all() else "unknown",
        "seeds": seed_words(seeds) if seeds else "no training",
        "heard": plain(
            f"{tested.environment}{f', {c}' if (c := str(tested.condition)) else ''}", 120
        ),
        "clips": f"{tests[0].clips:,} clips of {len(counts)} sounds",
        "figures": [
            (
                words,
                _shown([float(v) for e in tests if (v := e.metrics.get(key)) is not None], unit),
            )
            for key, (words, unit) in _FIGURES.items()
            if any(e.metrics.get(key) is not None for e in tests)
        ],
        "runs": [
            {
                "name": plain(r.record.name, 160),
                "command": plain(r.record.provenance.command, 400),
                "created": r.record.provenance.created,
                "commit": (r.record.provenance.commit or "unknown")[:12],
                "device": plain(r.record.provenance.device, 80),
            }
            for r in design.results
        ],
    }


def _whole_name(design: Design) -> str:
    experiment = design.first.experiment
    if experiment is None:
        return design.method
    return f"{experiment.combination}, preset {experiment.preset.name}"


def _shown(values: list[float], unit: str) -> str:
    middle = float(np.mean(values))
    return (
        f"{100 * middle:.1f} %" if unit == "%" else f"{middle:.2f}{unit}" if unit else f"{middle:g}"
    )
