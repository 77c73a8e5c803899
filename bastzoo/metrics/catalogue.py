"""The built-in metrics: what each figure is called, its unit, and how it is defined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bastzoo.metrics.calibration import LEVELS, calibration_metrics
from bastzoo.metrics.classes import by_class, confusion, task_metrics
from bastzoo.metrics.localization import (
    angular_distance,
    counted,
    localization_metrics,
    off_the_horizontal_plane,
    root_mean_squares,
)
from bastzoo.metrics.metric import Arrays, Figure, Figures, Metric
from bastzoo.metrics.polar import polar_metrics
from bastzoo.metrics.sources import source_metrics


def _localization(arrays: Arrays) -> Figures:
    return localization_metrics(
        arrays["directions"], arrays["targets"], raw=arrays.get("raw"), sounds=arrays["sounds"]
    )


def _squares(arrays: Arrays) -> Figures:
    return root_mean_squares(arrays["directions"], arrays["targets"])


def _polar(arrays: Arrays) -> Figures:
    return polar_metrics(arrays["directions"], arrays["targets"])


def _confidence(arrays: Arrays) -> Figures:
    ad = counted(angular_distance(arrays["directions"], arrays["targets"]))
    confidence = np.nan_to_num(arrays["confidence"], nan=-np.inf)  # not said: the least
    surest = np.argsort(-confidence, kind="stable")[: max(1, len(ad) // 2)]
    return {"ad_most_confident_half": float(ad[surest].mean()) if len(ad) else None}


def _classes(arrays: Arrays) -> Figures:
    return task_metrics(
        arrays["directions"],
        arrays["targets"],
        classes=arrays["class"],
        labels=arrays["true_class"],
    )


def _class_tables(arrays: Arrays, names: Sequence[str]) -> dict[str, Any]:
    what = {"classes": arrays["class"], "labels": arrays["true_class"]}
    return {
        "by_class": by_class(arrays["directions"], arrays["targets"], names=names, **what),
        "confusion": confusion(**what, count=len(names)).tolist(),
    }


def _calibration(arrays: Arrays) -> Figures:
    return calibration_metrics(arrays["directions"], arrays["targets"], arrays["radii"])


_SLOTS = ("directions", "classes", "present")


def _sources(arrays: Arrays) -> Figures:
    mine = {name: arrays[f"slots_{name}"] for name in _SLOTS}
    return source_metrics(**mine, **{f"target_{n}": arrays[f"slots_target_{n}"] for n in _SLOTS})


_F20 = {
    "f20": Figure(
        "F20: right class within 20°", "F1 of sources of the right class within 20°", "%", "higher"
    ),
    "er20": Figure("ER20", "substitutions, deletions and insertions for each source"),
}


def localization() -> Metric:
    """Figures of directions, for every model and baseline."""
    return Metric(
        first=True,
        version=2,  # front-back rate: 15° from the frontal plane, not from the azimuths of the sides
        changed=lambda arrays: (
            ("front_back_rate",) if off_the_horizontal_plane(arrays["targets"]) else ()
        ),
        compute=_localization,
        figures={
            "clips": Figure("clips", "how many answers are scored", better=""),
            "invalid": Figure("answers without a direction", "how many; each counts as 90° off"),
            "ad_mean": Figure("AD, mean", "mean angle between answer and target", "°"),
            "ad_median": Figure("AD, median", "median of that angle", "°"),
            "ad_p90": Figure("AD, 90th percentile", "90th percentile of that angle", "°"),
            "mse": Figure("MSE", "mean squared error of the coordinates"),
            "acc_5": Figure("ACC@5", "share of answers within 5°", "%", "higher"),
            "acc_10": Figure("ACC@10", "share of answers within 10°", "%", "higher"),
            "acc_20": Figure("ACC@20", "share of answers within 20°", "%", "higher"),
            "lateral_error": Figure(
                "lateral error", "mean error of the angle from the median plane", "°"
            ),
            "front_back_rate": Figure(
                "front-back rate",
                "share of answers in the wrong half, of targets 15° off the frontal plane",
                "%",
            ),
            "left_right_rate": Figure("left-right rate", "share of answers on the other side", "%"),
            "folded_ad": Figure("folded AD", "mean angle, front and back taken for the same", "°"),
            "hemifield_gap": Figure(
                "hemifield gap, left - right",
                "mean angle of targets on the left minus right",
                "°",
                "",
            ),
            "hemifield_gap_p": Figure("  its p value", "paired t test over sounds", better=""),
            "elevation_error": Figure(
                "elevation error", "mean absolute error of the elevation", "°"
            ),
        },
    )


def rmse() -> Metric:
    """Root mean squared errors, the field's figures beside the mean angle."""
    return Metric(
        compute=_squares,
        figures={
            "azimuth_rmse": Figure("azimuth, RMS", "root mean squared error of the azimuth", "°"),
            "lateral_rmse": Figure(
                "lateral angle, RMS",
                "root mean squared error of the angle from the median plane",
                "°",
            ),
        },
    )


def polar() -> Metric:
    """Figures in horizontal-polar coordinates (Middlebrooks 1999)."""
    return Metric(
        compute=_polar,
        figures={
            "quadrant_error": Figure(
                "quadrant errors",
                "share of polar errors above 90°, of targets within 30° of the median plane",
                "%",
            ),
            "local_polar_error": Figure(
                "local polar error, RMS",
                "root mean squared polar error of those targets, without quadrant errors",
                "°",
            ),
            "lateral_bias": Figure(
                "lateral bias", "mean signed error of the lateral angle, left positive", "°", ""
            ),
            "lateral_precision": Figure(
                "lateral precision", "standard deviation of the error of the lateral angle", "°"
            ),
        },
    )


def confidence() -> Metric:
    """Figures of answers that come with a confidence."""
    return Metric(
        needs=("confidence",),
        compute=_confidence,
        figures={
            "ad_most_confident_half": Figure(
                "AD of the half that it is most confident of",
                "mean angle of the half of the answers with the highest confidence",
                "°",
            )
        },
    )


def classes() -> Metric:
    """Figures of heads that say what a sound was."""
    return Metric(
        first=True,
        needs=("class", "true_class"),
        compute=_classes,
        tables=_class_tables,
        figures={
            "class_accuracy": Figure("class accuracy", "share of right classes", "%", "higher"),
            "macro_f1": Figure("macro F1", "mean F1 of the classes that occur", "%", "higher"),
            "azimuth_error": Figure("azimuth error", "mean absolute error of the azimuth", "°"),
            "azimuth_error_right_class": Figure(
                "azimuth error where the class is right",
                "the same of answers with the right class",
                "°",
            ),
            **_F20,
        },
    )


def calibration() -> Metric:
    """Figures of heads that say how sure they are."""
    return Metric(
        first=True,
        needs=("radii",),
        compute=_calibration,
        figures={
            **{
                f"coverage_{level}": Figure(
                    f"coverage at {level} %", f"share of targets within the {level} % cap", "%", ""
                )
                for level in LEVELS
            },
            "calibration_error": Figure(
                "calibration error", "mean distance of the coverages from their levels", "%"
            ),
            "radius_50": Figure(
                "radius of the 50 % cap, median", "median radius of the 50 % cap", "°"
            ),
            "ad_surest_half": Figure(
                "AD of the half that it is surest of",
                "mean angle of the half with the smallest caps",
                "°",
            ),
        },
    )


def sources() -> Metric:
    """Figures of heads that answer several sources at a time."""
    return Metric(
        first=True,
        needs=tuple(f"slots_{name}" for name in _SLOTS),
        compute=_sources,
        figures={
            "sources": Figure("sources", "how many there are", better=""),
            "source_error": Figure(
                "AD of answers and their sources", "mean angle of matched pairs", "°"
            ),
            "source_recall": Figure(
                "sources found within 20°", "share of the sources", "%", "higher"
            ),
            "source_precision": Figure(
                "answers within 20° of a source", "share of the answers", "%", "higher"
            ),
            "source_class_accuracy": Figure(
                "their class accuracy", "share of right classes of pairs within 20°", "%", "higher"
            ),
            "count_error": Figure(
                "error of the number of sources", "mean absolute error of the number of sources"
            ),
            "count_accuracy": Figure(
                "number of sources right", "share of clips with the right number", "%", "higher"
            ),
            **_F20,
        },
    )


BUILT_IN = (localization(), classes(), calibration(), sources(), rmse(), polar(), confidence())
"""The metrics of the protocol, in the order in which records have their figures."""
