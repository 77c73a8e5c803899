"""The metrics of all plugins, built from their records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.errors import ComponentError
from bastzoo.metrics.metric import Metric

if TYPE_CHECKING:
    from bastzoo.registry import Registry


def metrics_of(registry: Registry) -> tuple[Metric, ...]:
    """All metrics that can be had here, in the order of registration.

    Raises ComponentError for one that cannot be built, or that defines a figure of another plugin's.
    """
    found: dict[str, Metric] = {}
    owner: dict[str, str] = {}
    for name in registry.names("metric"):
        component = registry.get("metric", name)
        if not component.availability().ok:
            continue
        metric = component.build_as(Metric)
        for figure in metric.figures:
            other = owner.setdefault(figure, component.distribution)
            if other != component.distribution:
                raise ComponentError(
                    f"The metric {name!r} of {component.distribution} defines the figure {figure!r}, "
                    f"which {other} defines already; call it otherwise."
                )
        found[name] = metric
    return tuple(found.values())
