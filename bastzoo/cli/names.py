"""Names that a shell completes: components, presets, tracks, runs and models. See docs/cli.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Pairs = Iterable[tuple[str, str]]


class Named(click.ParamType):
    """Any text; a shell completes it with the names of a kind.

    kind: of component, or `ingredient`, `preset`, `track`, `run` or `model or run` (models with weights,
        and runs).
    """

    def __init__(self, kind: str) -> None:
        self.name = kind

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is: what it names is looked up where it is used."""
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so, with a line about each; nothing where something is broken."""
        try:
            pairs = list(
                _OTHERS[self.name](ctx) if self.name in _OTHERS else _components(self.name)
            )
        except Exception:  # a shell that completes has no place for a sentence
            return []
        begun = incomplete.lower()
        return [
            CompletionItem(name, help=words)
            for name, words in pairs
            if name.lower().startswith(begun)
        ]


def _components(kind: str) -> Pairs:
    from bastzoo.plugins import default_registry

    return [(each.name, each.summary) for each in default_registry().match(kind, "*")]


def _presets(ctx: click.Context) -> Pairs:
    from bastzoo.presets import load_preset, preset_names

    return [(name, load_preset(name).summary) for name in preset_names()]


def _tracks(ctx: click.Context) -> Pairs:
    return [*_components("track"), *_components("environment")]


def _runs(ctx: click.Context) -> Pairs:
    folder = Path(str(ctx.params.get("out") or "runs"))
    return sorted((path.parent.name, "") for path in folder.glob("*/record.json"))


def _models_and_runs(ctx: click.Context) -> Pairs:
    return [*_components("model"), *_runs(ctx)]


def _sharings(ctx: click.Context) -> Pairs:
    return [("SP", "one encoder for both ears"), ("NSP", "one each")]


def _ingredients(ctx: click.Context) -> Pairs:
    from bastzoo.conditions import INGREDIENTS

    return [*INGREDIENTS.items(), ("each", "with all, and then without one after the other")]


_OTHERS: dict[str, Callable[[click.Context], Pairs]] = {
    "sharing": _sharings,
    "ingredient": _ingredients,
    "preset": _presets,
    "track": _tracks,
    "run": _runs,
    "model or run": _models_and_runs,
}
