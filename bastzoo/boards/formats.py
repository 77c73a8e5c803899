"""Leaderboards for machines and for papers: CSV, JSON and LaTeX, from the same rows as the markdown."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Value = str | int | float | None


@dataclass(frozen=True)
class Section:
    """One part of a leaderboard: what is ranked together.

    facts: what all its rows share (environment, preset, ...).
    rows: what machines read, in full precision.
    provenance: commands, seeds, hardware, versions and commit.
    caption, headers, text, blocks: the table that people read; `text` names the headers of columns
        of words, and a rule stands between two blocks of lines.
    """

    facts: dict[str, Value]
    rows: list[dict[str, Value]]
    provenance: dict[str, Any]
    caption: str
    headers: list[str]
    text: frozenset[str]
    blocks: list[list[list[str]]]
    published: list[dict[str, str]] = field(default_factory=list)


def as_csv(sections: Sequence[Section]) -> str:
    """A line for each design and baseline; what a line does not have is empty."""
    lines = _lines(sections)
    file = io.StringIO()
    writer = csv.DictWriter(
        file, list(dict.fromkeys(name for line in lines for name in line)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def as_frame(sections: Sequence[Section]) -> pd.DataFrame:
    """The lines of `as_csv` as a data frame, in full precision."""
    import pandas as pd

    return pd.DataFrame(_lines(sections))


def _lines(sections: Sequence[Section]) -> list[dict[str, Value]]:
    return [{**section.facts, **row} for section in sections for row in section.rows]


def as_json(sections: Sequence[Section]) -> str:
    """The parts, each with its rows, the published figures, and where the rows come from."""
    parts = [
        {
            **section.facts,
            "rows": [{name: _plain(value) for name, value in row.items()} for row in section.rows],
            "published_on_other_data": section.published,
            "provenance": section.provenance,
        }
        for section in sections
    ]
    return json.dumps({"parts": parts}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Value) -> Value:
    """The value, or None for a figure that JSON has no word for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_latex(sections: Sequence[Section]) -> str:
    """A `tabular` for each part, to be put into a `table`; it needs the package booktabs."""
    lines = ["% Needs \\usepackage{booktabs}. Made by: bastzoo leaderboard --format latex"]
    for section in sections:
        align = "".join("l" if header in section.text else "r" for header in section.headers)
        lines += ["", f"% {_one_line(section.caption)}", f"\\begin{{tabular}}{{{align}}}"]
        lines += ["\\toprule", _line(section.headers)]
        for block in filter(None, section.blocks):
            lines += ["\\midrule", *map(_line, block)]
        lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "°": r"$^\circ$",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
_SPECIAL_LETTERS = re.compile("[" + re.escape("".join(_SPECIAL)) + "]")


def escaped(text: str) -> str:
    """Text as LaTeX prints it, whatever letters are in it."""
    safe = _SPECIAL_LETTERS.sub(lambda found: _SPECIAL[found[0]], text)
    # A line that begins with a bracket would be taken for the optional argument of the `\\` before it.
    return f"{{}}{safe}" if safe.startswith(("[", "*")) else safe


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def _one_line(text: str) -> str:
    return " ".join(text.split())


FORMATS = {"csv": as_csv, "json": as_json, "latex": as_latex}
"""Name of each format but markdown, which is not made of sections -> what writes it."""
