"""The grid: from axes to combinations. Imports no torch, so a mistake is answered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from bastzoo.conditions import Layout
from bastzoo.errors import CombinationError
from bastzoo.experiment import SHARINGS, Combination
from bastzoo.registry import Registry

# What an axis that is not named stands for: the papers' own grid.
PAPER_AXES: dict[str, tuple[str, ...]] = {
    "backbone": ("mamba", "vanilla", "swin"),
    "integration": ("ADD", "SUB", "CONCAT"),
    "loss": ("MSE", "AD", "MIX"),
    "sharing": SHARINGS,
    "environment": ("RI",),
    "head": ("azimuth",),
    "frontend": ("spectrogram",),
}

READY_MADE = "precomputed"
"""The frontend of data that holds features instead of clips."""


def is_all(chosen: Sequence[str]) -> bool:
    """Whether an axis was given as `all`."""
    return any(value.lower() == "all" for value in chosen)


def axes_of(
    chosen: Mapping[str, Sequence[str]],
    registry: Registry,
    *,
    layout: Layout = "rendered",
    usual_head: str = "azimuth",
) -> dict[str, tuple[str, ...]]:
    """The values of all axes, for data of a layout.

    usual_head: what stands for a head that is not named. Raises as `axis` does, and
    CombinationError for a frontend that does not fit the layout.
    """
    usual = {"head": [usual_head]}
    if layout == "csv":
        usual["frontend"] = [READY_MADE]
    axes = {
        name: axis(name, chosen[name] or usual.get(name, ()), registry)
        for name in PAPER_AXES
        if name != "environment"
    }
    if is_all(chosen["frontend"]):
        fitting = [name for name in axes["frontend"] if (name == READY_MADE) == (layout == "csv")]
        axes["frontend"] = tuple(fitting)
    check_frontends(axes["frontend"], layout)
    if layout == "rendered":
        axes["environment"] = axis("environment", chosen["environment"], registry)
    elif is_all(chosen["environment"]):
        raise CombinationError(
            "`--env all` names the environments of the zoo, not those of a recorded data set; "
            "`bastzoo data info` lists them."
        )
    else:
        axes["environment"] = tuple(chosen["environment"]) or PAPER_AXES["environment"]
    return axes


def check_frontends(names: Sequence[str], layout: Layout) -> None:
    """Raise CombinationError for a frontend that cannot take what data of this layout holds."""
    for name in names:
        if (name.lower() == READY_MADE) != (layout == "csv"):
            raise CombinationError(
                f"The frontend {name!r} makes features of clips, and a CSV index holds features; "
                f"use --frontend {READY_MADE}."
                if layout == "csv"
                else f"The frontend {name!r} is for features that come ready-made, from a CSV index; "
                "name one with --csv, or choose another frontend."
            )


def axis(name: str, chosen: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """The values of one axis: those chosen, all that can run here for `all`, the paper's for none.

    Raises ComponentError for an unknown name, SetupError for a component that cannot run here, and
    CombinationError for an unknown sharing.
    """
    chosen = chosen or PAPER_AXES[name]
    everything = is_all(chosen)
    if name == "sharing":
        return SHARINGS if everything else _sharings(chosen)
    if everything:
        components = [registry.get(name, known) for known in registry.names(name)]
        return tuple(c.name for c in components if c.availability().ok)
    components = [registry.get(name, value) for value in chosen]
    for component in components:
        component.require()
    return tuple(dict.fromkeys(component.name for component in components))


def _sharings(chosen: Sequence[str]) -> tuple[str, ...]:
    unknown = [value for value in chosen if value.upper() not in SHARINGS]
    if unknown:
        raise CombinationError(
            f"There is no sharing {unknown[0]!r}; SP shares the parameters of the ear encoders, "
            "NSP does not."
        )
    return tuple(dict.fromkeys(value.upper() for value in chosen))


def combinations(
    axes: dict[str, tuple[str, ...]], registry: Registry, *, skip_misfits: bool = False
) -> list[Combination]:
    """Every combination of the axes.

    Raises CombinationError for the first whose parts do not fit each other; with
    `skip_misfits`, for axes given as `all`, leaves those out.
    """
    order = ("backbone", "sharing", "loss", "integration", "head", "frontend")
    found = []
    for values in product(*(axes[name] for name in order)):
        combination = Combination.model_validate(dict(zip(order, values, strict=True)))
        if combination.fits(registry) or not skip_misfits:
            found.append(combination.canonical(registry))
    return found
