"""A report of runs: every picture that they allow, as files or as one page, and why others are missing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bastzoo import plots
from bastzoo.errors import RecordError, SetupError
from bastzoo.plots.results import Result, designs
from bastzoo.plots.style import check_matplotlib, drawing, style_named
from bastzoo.records.store import in_sentences

Format = Literal["svg", "png", "html"]

PAGE = "index.html"
DOTS_PER_INCH = 200


@dataclass(frozen=True)
class Panel:
    """A picture of a report. name: of its file. caption: how to read it, in sentences."""

    name: str
    title: str
    caption: str

    @property
    def draw(self) -> Callable[..., Any]:
        """The function of `bz.plot`."""
        found: Callable[..., Any] = getattr(plots, self.name.replace("-", "_"))
        return found


@dataclass(frozen=True)
class Drawn:
    """A picture of these runs: its data (SVG text or PNG bytes), or why there is none."""

    panel: Panel
    data: bytes = b""
    why_not: str = ""


PANELS = (
    Panel(
        "azimuth-error",
        "Error by azimuth",
        "Mean AD at each true azimuth, seen from above: front is up, the left ear on the left. "
        "The farther out, the larger the error.",
    ),
    Panel(
        "true-against-predicted",
        "True against predicted azimuth",
        "All answers. On the solid diagonal they are right; on the dashed ones front and back are"
        " exchanged.",
    ),
    Panel(
        "prediction-distribution",
        "Where the answers point",
        "Share of all answers by direction (bars), and where the sounds were (line). The radius "
        "is the share, not the area.",
    ),
    Panel(
        "bias",
        "Signed bias",
        "Circular mean of predicted minus true azimuth. Positive is counter-clockwise: to the "
        "left of a sound in front, to the right of one behind.",
    ),
    Panel(
        "hemifields",
        "Left and right",
        "Mean AD of sounds on either side; p is of the paired t test over sounds, "
        "and is left out of several seeds whose predictions are not kept.",
    ),
    Panel(
        "room-error",
        "By room",
        "Mean AD in each room. A line is the 95 % interval over sounds; a record keeps none for "
        "the rooms of the run's own test.",
    ),
    Panel(
        "listener-error",
        "By listener",
        "Mean AD with the ears of each listener of a track, with 95 % intervals over sounds.",
    ),
    Panel(
        "class-error",
        "By class of sound",
        "Mean AD of the sounds of each class.",
    ),
    Panel(
        "frequency-error",
        "By frequency band of the sound",
        "Mean AD of the sounds that have most of their energy in each octave band, before any room or ear.",
    ),
    Panel(
        "snr",
        "Against noise",
        "Mean AD by the signal-to-noise ratio, with 95 % intervals. Grey: BAST-Mamba's published "
        "curves, one for each SNR of training, on other data.",
    ),
    Panel(
        "duration",
        "As the sound unfolds",
        "Mean AD by how much of a sound is heard, with 95 % intervals. Grey: BAST-Mamba's "
        "published curves, on other data.",
    ),
    Panel(
        "learning-curves",
        "Training",
        "AD on the validation split while training, a line for each seed; the mark is the step "
        "that was kept.",
    ),
    Panel(
        "calibration",
        "Calibration",
        "Left: share of true directions within the caps that the head gives, on the diagonal "
        "where it knows how sure it is. Right: error of tenths of the clips by how sure it is.",
    ),
    Panel(
        "elevation",
        "Elevation",
        "Median answer at each true elevation, and the middle 80 % of answers.",
    ),
    Panel(
        "class-confusion",
        "Classes",
        "Share of the clips of each true class (row) that were answered as each class (column).",
    ),
    Panel(
        "sources-found",
        "Sources found",
        "Of heads that answer several sources: found within 20°, answers within 20° of one, of "
        "these the right class, and clips with the right number.",
    ),
)


def draw_all(
    results: Sequence[Result], *, style: str = "paper", form: Literal["svg", "png"] = "svg"
) -> Iterator[Drawn]:
    """Draw every panel that the runs allow; the others come with the reason why not."""
    check_matplotlib()
    from matplotlib.figure import Figure

    for panel in PANELS:
        try:
            with drawing(style_named(style)):
                figure = Figure(layout="constrained")
                panel.draw(results, figure=figure, style=style)
                yield Drawn(panel, _file(figure, form))
        except RecordError as gap:
            yield Drawn(panel, why_not=str(gap))


def _file(figure: Any, form: str) -> bytes:
    file = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    figure.savefig(file, format=form, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def write_report(
    results: Sequence[Result], folder: Path, *, form: Format = "html", style: str = "paper"
) -> tuple[list[Path], list[Drawn]]:
    """Write the pictures of runs into a folder, or one page with all of them.

    Returns what was written, and the panels that were left out. Raises SetupError for a folder that cannot be
    written.
    """
    style_named(style)
    designs(results)
    if not folder.absolute().parent.is_dir():
        raise SetupError(f"There is no folder {str(folder.absolute().parent)!r} to write into.")
    drawn = [*draw_all(results, style=style, form="svg" if form == "html" else form)]
    written: list[Path] = []
    with in_sentences(folder):
        folder.mkdir(exist_ok=True)
        if form == "html":
            written.append(folder / PAGE)
            written[0].write_text(page(results, drawn, style=style), encoding="utf-8")
        else:
            for one in drawn:
                if one.data:
                    written.append(folder / f"{one.panel.name}.{form}")
                    written[-1].write_bytes(one.data)
    return written, [one for one in drawn if not one.data]


def page(results: Sequence[Result], drawn: Sequence[Drawn], *, style: str = "paper") -> str:
    """One page that needs no other file and no network: figures, pictures, where they come from."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    from markupsafe import Markup

    from bastzoo.plots.facts import facts_of

    environment = Environment(
        loader=PackageLoader("bastzoo.plots"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [
        # Made by matplotlib, which escapes all text in it.
        {"panel": one.panel, "svg": Markup(inlined(one.data.decode(), one.panel.name))}
        for one in drawn
        if one.data
    ]
    found: str = environment.get_template("report.html").render(
        designs=[facts_of(design) for design in designs(results)],
        pictures=shown,
        missing={one.panel.title: one.why_not for one in drawn if not one.data},
        is_dark=style == "dark",
    )
    return found


def inlined(svg: str, name: str) -> str:
    """A picture as part of a page: its ids are its own, and a reader of the page hears its title instead."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-labelledby="{name}"', 1)
