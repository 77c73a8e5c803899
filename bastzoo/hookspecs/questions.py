"""What is asked of a run: metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.hookspecs.marks import hookspec

if TYPE_CHECKING:
    from bastzoo.registry import Component


@hookspec
def bastzoo_metrics() -> list[Component]:  # type: ignore[empty-body]
    """Figures that are computed from answers.

    The target is called without arguments and returns a `bastzoo.metrics.metric.Metric`: its figures
    (words, definition, unit, which way is better) and `compute(arrays)`, from numpy arrays by name to those
    figures. `directions` and `targets` `[n, 3]`, `sounds` and `rooms` `[n]` are always there; what else it
    reads it names in `needs`, and it is computed for the runs whose heads answer that. Records keep the
    figures with their definitions, and boards show those of heads.

    ```python
    # far_off/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_metrics():
        return [
            Component(
                kind="metric",
                name="far-off",
                target="far_off.metric:far_off",
                summary="share of answers that are more than 45 degrees off",
                citation="none",
                licence="MIT",
            )
        ]
    ```

    ```python
    # far_off/metric.py
    from bastzoo.metrics.localization import angular_distance
    from bastzoo.metrics.metric import Figure, Metric


    def far_off():
        return Metric(
            figures={"far_off": Figure("far off", "share of answers more than 45° off", "%")},
            compute=compute,
        )


    def compute(arrays):
        angle = angular_distance(arrays["directions"], arrays["targets"])
        return {"far_off": float((~(angle <= 45)).mean()) if len(angle) else None}
    ```
    """
