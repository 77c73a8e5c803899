"""How commands print: text tables, JSON, and what is wrong with the plugins."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from bastzoo.errors import tellable
from bastzoo.plugins import PluginHost

LONGEST_CELL = 2_000
_NARROWEST = 24


def table(rows: Sequence[Sequence[str]], *, indent: int = 2, gap: int = 2) -> Iterator[str]:
    """Rows of a table with aligned columns and nothing behind the last filled one.

    Cells may come from a stranger's record: what would write elsewhere on the terminal is spelled out. On a
    terminal that is too narrow the last column, which is a sentence in most tables, goes on in further lines.
    """
    if not rows:
        return
    rows = [[tellable(cell, LONGEST_CELL) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    before = indent + sum(width + gap for width in widths[:-1])
    room = shutil.get_terminal_size().columns - before if sys.stdout.isatty() else 0
    narrow = _NARROWEST <= room < widths[-1]
    for row in rows:
        first, *more = textwrap.wrap(row[-1], room) or [""] if narrow else [row[-1]]
        cells = (cell.ljust(width) for cell, width in zip([*row[:-1], first], widths, strict=True))
        line = (" " * indent + (" " * gap).join(cells)).rstrip()
        yield "\n".join([line, *(" " * before + rest for rest in more)])


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
