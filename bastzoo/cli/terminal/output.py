"""How commands print: text tables, JSON, and what is wrong with the plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from bastzoo.errors import tellable
from bastzoo.plugins import PluginHost

LONGEST_CELL = 2_000


def table(rows: Sequence[Sequence[str]], *, indent: int = 2, gap: int = 2) -> Iterator[str]:
    """Lines of a table with aligned columns and nothing behind the last filled one.

    Cells may come from a stranger's record: what would write elsewhere on the terminal is spelled out.
    """
    if not rows:
        return
    rows = [[tellable(cell, LONGEST_CELL) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (" " * indent + (" " * gap).join(cells)).rstrip()


def echo_json(value: Any) -> None:
    """Print a value as JSON; what JSON does not know becomes a mapping, a list, or its `repr`."""
    import json  # only `--json` pays for it

    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def echo_problems(host: PluginHost) -> None:
    """Print one sentence on stderr for each broken, contested or slow plugin."""
    for problem in host.problems():
        click.echo(f"Warning: {tellable(problem, LONGEST_CELL)}", err=True)


def collisions_as_data(host: PluginHost) -> list[dict[str, Any]]:
    """The contested names, for JSON."""
    return [
        {
            "kind": collision.components[0].kind,
            "name": collision.components[0].name,
            "sides": [
                {"distribution": c.distribution, "target": c.target} for c in collision.components
            ],
            "message": collision.sentence,
        }
        for collision in host.collisions
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, set | frozenset) else repr(value)
