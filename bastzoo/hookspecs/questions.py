"""What is asked of a run: metrics and tracks."""

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


@hookspec
def bastzoo_tracks() -> list[Component]:  # type: ignore[empty-body]
    """Questions that runs are asked: conditions to train under, and cases to test.

    The target is called without arguments and returns a `bastzoo.conditions.Track` with the name and
    the version of its record: the question, the cases that runs are tested with (a label, a
    `Condition`, an environment or None for the run's own), and what is trained for it (`conditions`,
    `environments`, the `head` that it needs). It imports no torch. `bastzoo bench --track NAME`,
    `evaluate`, `clips` and `score` then know it, and it has a leaderboard of its own. Raise the version
    when its meaning changes: results of two are never ranked together.

    ```python
    # short_noise/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_tracks():
        return [
            Component(
                kind="track",
                name="short-noise",
                target="short_noise.track:short_noise",
                summary="What is left of a design in noise when it hears 100 ms only?",
                citation="none",
                licence="MIT",
            )
        ]
    ```

    ```python
    # short_noise/track.py
    from bastzoo.conditions import Case, Condition, Track


    def short_noise():
        return Track(
            name="short-noise",
            question="What is left of a design in noise when it hears 100 ms only?",
            cases=(
                Case("all of it"),
                Case("100 ms", Condition(duration_ms=100.0)),
                Case("100 ms, 10 dB", Condition(duration_ms=100.0, snr_db=(10.0,))),
            ),
        )
    ```
    """
