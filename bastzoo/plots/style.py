"""How pictures look: sizes of text, colours that colour-blind readers tell apart, one for each component.

The colours are Okabe and Ito's ("Color universal design", 2008). A component has the same colour in every
picture; designs that share it differ in dashes and markers, never in the colour alone.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bastzoo.errors import SetupError
from bastzoo.plots.results import Design

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILLION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)

LEFT_EAR, RIGHT_EAR = BLUE, VERMILLION

_OF = {
    "vanilla": BLUE,
    "swin": ORANGE,
    "mamba": GREEN,
    "conv": PURPLE,
    "cnn": VERMILLION,
    "waveloc": SKY,
    "sub": BLUE,
    "add": ORANGE,
    "concat": GREEN,
    "ad": BLUE,
    "mse": ORANGE,
    "mix": GREEN,
    "vmf": PURPLE,
    "nll": VERMILLION,
    "sp": BLUE,
    "nsp": ORANGE,
    "spectrogram": BLUE,
    "gcc": GREEN,
    "ri01": BLUE,
    "ri02": ORANGE,
    "ri": GREEN,
}
# In the order in which they are asked for what tells designs apart.
_KINDS = ("backbone", "integration", "loss", "frontend", "sharing", "head", "environment")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_MARKERS = "os^DvPX*"


@dataclass(frozen=True)
class Style:
    """column: width of one picture, inches. text: size of the text at that width, points."""

    column: float
    text: float
    ink: str
    paper: str
    faint: str
    line: float


STYLES: dict[str, Style] = {
    # A column of a two-column paper is 85 mm; 8 points is what journals ask for at least.
    "paper": Style(3.35, 8.0, "#1a1a1a", "#ffffff", "#8a8a8a", 1.2),
    "slides": Style(5.6, 14.0, "#1a1a1a", "#ffffff", "#8a8a8a", 2.2),
    "dark": Style(4.2, 10.0, "#f0f0f0", "#14171c", "#8f959e", 1.5),
}


@dataclass(frozen=True)
class Look:
    """How one design is drawn, in every picture of the same runs."""

    colour: str
    dashes: Any
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """For a curve."""
        return {"color": self.colour, "linestyle": self.dashes}


def colour_of(name: str) -> str:
    """The colour of a component: that of the built-in one, or one that follows from its name.

    >>> colour_of("mamba") == colour_of("MAMBA") == GREEN
    True
    """
    known = name.lower().removesuffix("-stem")
    if known in _OF:
        return _OF[known]
    return PALETTE[zlib.crc32(known.encode("utf-8", "replace")) % len(PALETTE)]


def looks(designs: Sequence[Design], style: Style) -> list[Look]:
    """A look for each design: its colour by the first kind of part in which they differ.

    Baselines are grey. Every design has a marker of its own, and the same colour comes with other dashes.
    """
    parts = [design.parts for design in designs]
    kind = next(
        (k for k in _KINDS if len({part[k] for part in parts if k in part}) > 1), "backbone"
    )
    used: dict[str, int] = {}
    found = []
    for place, part in enumerate(parts):
        colour = colour_of(part[kind]) if kind in part else style.faint
        again = used[colour] = used.get(colour, -1) + 1
        dashes = _DASHES[(again + 2 * (colour == style.faint)) % len(_DASHES)]
        found.append(Look(colour, dashes, _MARKERS[place % len(_MARKERS)]))
    return found


def shades(style: Style) -> Any:
    """A colour map from nothing, which is the paper, to all."""
    from matplotlib.colors import LinearSegmentedColormap

    rising = [BLUE, "#001f33"] if style.paper == "#ffffff" else [SKY, "#ffffff"]
    return LinearSegmentedColormap.from_list("share", [style.paper, *rising])


def style_named(name: str) -> Style:
    """Raises SetupError for an unknown name."""
    if name not in STYLES:
        raise SetupError(f"There is no style {name!r}; use {', '.join(STYLES)}.")
    return STYLES[name]


@contextmanager
def drawing(style: Style) -> Iterator[None]:
    """Matplotlib's settings while a picture is drawn or written: the same file every time."""
    check_matplotlib()
    import matplotlib

    settings: Any = {
        "svg.hashsalt": "bastzoo",
        "svg.fonttype": "none",
        "text.parse_math": False,  # a name may hold a $
        "font.size": style.text,
        "axes.titlesize": style.text,
        "axes.labelsize": style.text,
        "xtick.labelsize": 0.88 * style.text,
        "ytick.labelsize": 0.88 * style.text,
        "legend.fontsize": 0.88 * style.text,
        "legend.frameon": False,
        "lines.linewidth": style.line,
        "lines.markersize": 3.2 * style.line,
        "axes.linewidth": 0.6 * style.line,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.linewidth": 0.4 * style.line,
        "grid.color": style.faint,
        "grid.alpha": 0.45,
        "figure.facecolor": style.paper,
        "savefig.facecolor": style.paper,
        "axes.facecolor": style.paper,
        "text.color": style.ink,
        "axes.edgecolor": style.ink,
        "axes.labelcolor": style.ink,
        "axes.titlecolor": style.ink,
        "xtick.color": style.ink,
        "ytick.color": style.ink,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes in a PNG, and right in an SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        yield


def check_matplotlib() -> None:
    """Raise SetupError where matplotlib is not installed."""
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        raise SetupError("Drawing takes matplotlib: pip install 'bastzoo[plot]'.")
