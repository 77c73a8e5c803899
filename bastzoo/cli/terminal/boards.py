"""A leaderboard on the terminal: as many columns as fit, a bar for each row; pipes get the whole table."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from bastzoo.boards.tables import MARK, PAPER_COLUMNS
from bastzoo.errors import tellable

if TYPE_CHECKING:
    from bastzoo.boards.formats import Section

_GAP = 2
_BAR = (8, 24)  # the least and the most that a bar takes
_LEAST_NAME = 12


def is_shown() -> bool:
    """Whether standard output is a terminal, and not a file or a pipe."""
    return sys.stdout.isatty()


def print_boards(sections: Sequence[Section]) -> None:
    """Print the boards as wide as the terminal is. NO_COLOR and --no-color take the colours away."""
    width = shutil.get_terminal_size((80, 24)).columns
    # Without colours there is nothing but text, not bold type either.
    console = Console(
        file=sys.stdout,
        highlight=False,
        soft_wrap=True,
        width=width,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
    has_blocks = "utf" in (console.encoding or "").lower()
    for section in sections:
        for line in fitted(section, width, has_blocks=has_blocks):
            console.print(line)
        console.print()


def fitted(section: Section, width: int, *, has_blocks: bool = True) -> Iterator[Text]:
    """Lines of one board, none wider than `width` cells.

    At 80 cells the paper's form, with a bar; then, as there is room, the rank, the interval, and the other
    columns in their order. has_blocks: whether the terminal can draw them.
    """
    is_marked = any(
        MARK.strip() in cell for block in section.blocks for line in block for cell in line
    )
    mark = f"; {MARK.strip()} of this command" if is_marked else ""
    about, order = _title(section), f"models best first; bars: AD{mark}"
    if cell_len(about) + cell_len(order) + 3 <= width:
        yield Text(f"{about} ({order})", style="bold")
    else:
        yield Text(_short(about, width), style="bold")
        yield Text(_short(order, width), style="italic")
    headers = [_plain(header) for header in section.headers]
    blocks = [[[_plain(cell) for cell in line] for line in block] for block in section.blocks]
    if "Model" in headers and (shared := _say_once(blocks[0], headers.index("Model"))):
        yield Text(_short(f"all models: {', '.join(shared)}", width), style="italic")
    error = _error_column(section)
    figures = [line[error].partition(" (")[0] for block in blocks for line in block]
    # The interval is a column of its own, which may not fit.
    full = [line[error] for block in blocks for line in block]
    lines = [line for block in blocks for line in block]
    for line, figure in zip(lines, figures, strict=True):
        line[error] = figure
    has_interval = full != figures
    headers[error] = headers[error].removesuffix(" (95 %)")
    if has_interval:
        headers.insert(error + 1, "95 %")
        for line, whole in zip(lines, full, strict=True):
            line.insert(error + 1, whole.partition(" (")[2].rstrip(")"))
    widths = [
        max(map(cell_len, (header, *(line[i] for line in lines))))
        for i, header in enumerate(headers)
    ]
    chosen, bar = _chosen(headers, widths, error, width, has_interval)
    model = headers.index("Model") if "Model" in headers else chosen[0]
    room = width - sum(widths[i] + _GAP for i in chosen if i != model) - (bar + _GAP if bar else 0)
    widths[model] = max(min(widths[model], room), 1)
    text = {i for i, header in enumerate(headers) if header in section.text}
    longest = _scale([_number(figure) for figure in figures[: len(section.blocks[0])]])

    def cell(words: str, column: int) -> str:
        if cell_len(words) > widths[column]:
            return _short(words, widths[column])
        blank = " " * (widths[column] - cell_len(words))
        return words + blank if column in text else blank + words

    gap = " " * _GAP
    yield Text(_short(gap.join(cell(headers[i], i) for i in chosen).rstrip(), width), style="bold")
    for number, block in enumerate(blocks):
        if number and block:
            yield Text(_short("beside them, on the same clips", width), style="italic")
        for line in block:
            drawn = Text(gap.join(cell(line[i], i) for i in chosen))
            if bar and longest:
                drawn.append(gap)
                drawn.append(_bar(_number(line[error]) / longest, bar, has_blocks), style="cyan")
            drawn.rstrip()
            drawn.truncate(width)
            yield drawn


def _say_once(models: Sequence[list[str]], column: int) -> list[str]:
    """Take what all models are made with out of their names: heads, frontends, versions."""
    names = [line[column].removesuffix(MARK).split(" + ") for line in models]
    everywhere = set.intersection(*({*extras} for _, *extras in names)) if names else set()
    for line, (name, *extras) in zip(models, names, strict=True):
        mark = MARK * line[column].endswith(MARK)
        line[column] = " + ".join([name, *(e for e in extras if e not in everywhere)]) + mark
    return [extra for extra in names[0][1:] if extra in everywhere] if names else []


def _title(section: Section) -> str:
    facts = section.facts
    words = [f"Track {facts['track']}" if facts.get("track") else str(facts.get("environment"))]
    words.append(f"preset {facts.get('preset')}")
    if facts.get("listeners"):
        words.append(f"listeners {facts['listeners']}")
    if facts.get("clips"):
        words.append(f"{facts['clips']:,} test clips")
    return _plain(", ".join(words))


def _error_column(section: Section) -> int:
    """The column that ranks: AD, of a track the mean over its cases or its only case."""
    headers = section.headers
    for name in ("AD (95 %)", "Mean"):
        if name in headers:
            return headers.index(name)
    return min(headers.index("Trained on") + 1 if "Trained on" in headers else 0, len(headers) - 1)


def _chosen(
    headers: Sequence[str], widths: Sequence[int], error: int, width: int, has_interval: bool
) -> tuple[list[int], int]:
    """The columns that fit, in their order, and the width of the bar (0 for none)."""
    first = [i for i, header in enumerate(headers) if header in PAPER_COLUMNS or i == error]
    wanted = [i for i, header in enumerate(headers) if header in ("Rank", "Trained on")]
    wanted += [error + 1] * has_interval
    wanted += [i for i in range(len(headers)) if i not in (*first, *wanted)]
    # A long name is cut before a column of the paper's form is left out.
    needed = sum(
        (min(widths[i], _LEAST_NAME) if headers[i] == "Model" else widths[i]) + _GAP for i in first
    )
    left = width - sum(widths[i] + _GAP for i in first) + _GAP
    bar = 0
    if width - needed >= _BAR[0]:
        bar = _BAR[0]
        left -= bar + _GAP
    chosen = [*first]
    for i in wanted:
        if widths[i] + _GAP <= left:
            chosen.append(i)
            left -= widths[i] + _GAP
    return sorted(chosen), min(bar + max(left, 0), _BAR[1]) if bar else 0


def _scale(errors: Sequence[float]) -> float:
    """What the longest bar means: four of five models are shorter, and one lost one is an arrow."""
    ordered = sorted(errors)
    return ordered[math.ceil(0.8 * (len(ordered) - 1))] if ordered else 0.0


def _number(words: str) -> float:
    try:
        return float(words.removesuffix("°"))
    except ValueError:
        return 0.0


def _bar(share: float, width: int, has_blocks: bool) -> str:
    """A bar from zero; one that is longer than the longest model's ends in an arrow."""
    if not share > 0:  # also of NaN
        return ""
    if share > 1:
        return ("█" if has_blocks else "#") * (width - 1) + ("▶" if has_blocks else ">")
    if not has_blocks:
        return "#" * max(round(share * width), 1)
    eighths = max(round(share * width * 8), 1)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _plain(words: str) -> str:
    """Words on one line, without what moves the cursor or turns the direction of writing."""
    return tellable(" ".join(words.split()))


def _short(words: str, width: int) -> str:
    if cell_len(words) <= width:
        return words
    return set_cell_size(words, max(width - 1, 0)) + "…" * (width > 0)
