"""The papers' own figures, which stand under a leaderboard, marked as other data."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import resources

from bastzoo.boards.tables import INTEGRATIONS, LOSSES, PAPER_COLUMNS, markdown

_FILES = {"bast_mamba_ad.csv": "mamba", "bast_vit_ad.csv": "vanilla"}

HEADING = "## Published, on other data"
WORDS = (
    "The papers' own figures for these combinations, on their private recordings with one run",
    "each: not comparable with the rows above (README of ShengKuangCN/BAST; arXiv:2207.03927).",
)


def published_runs(wanted: Collection[tuple[str, str, str, str]]) -> list[dict[str, str]]:
    """The papers' AD of combinations: (backbone, sharing, loss, integration) each."""
    found = []
    for file, backbone in _FILES.items():
        for line in _csv(file):
            key = (backbone, line["sharing"], line["loss"], line["integration"])
            if key in wanted:
                found.append(
                    {
                        "model": f"{line['model']}-{line['sharing']}",
                        "loss": LOSSES.get(key[2], key[2]),
                        "integration": INTEGRATIONS[key[3]],
                        "ad": line["ad_deg"],
                    }
                )
    return found


def section_of_runs(wanted: Collection[tuple[str, str, str, str]]) -> list[str]:
    """The section of a leaderboard with `published_runs`; nothing when there are none."""
    found = published_runs(wanted)
    if not found:
        return []
    table = [[line["model"], line["loss"], line["integration"], f"{line['ad']}°"] for line in found]
    return [
        HEADING,
        "",
        *WORDS,
        "",
        markdown(table, PAPER_COLUMNS),
        "",
    ]


@dataclass(frozen=True)
class PublishedTrack:
    """The figures that papers have of a track.

    words: of what, and why they are not comparable. backbone: the name of ours that theirs corresponds to.
    design: what is the same in all lines, by header.
    """

    words: list[str]
    headers: list[str]
    lines: list[list[str]]
    backbone: str = "mamba"
    design: Mapping[str, str] = field(default_factory=dict)


def _of_bast(design: str) -> list[str]:
    return [
        f"{design}, read off the paper's figures: on the authors' private recordings, one run each,",
        "so not comparable with the rows above (README of ShengKuangCN/BAST).",
    ]


_WAVELOC = [
    "WaveLoc, root mean squared error in the room that its training left out: of azimuth, with speech of",
    "TIMIT, so not comparable with the rows above (Vecchiotti et al., ICASSP 2019; arXiv:1904.01916).",
]
_WAVELOC_RMSE = ("1.5°", "3.0°", "1.7°", "3.5°")


def published_track(track: str) -> PublishedTrack | None:
    """The figures that papers have of a track; None when there are none."""
    if track in ("snr", "snr-white"):
        lines = _csv("bast_mamba_snr.csv")
        columns = [name for name in lines[0] if name.startswith("test_")]
        headers = [_snr_label(name.removeprefix("test_")) for name in columns]
        table = [
            [_snr_label(line["train_snr_db"]), *(f"{float(line[c]):.1f}°" for c in columns)]
            for line in lines
        ]
        design = {"Model": "BAST-Mamba-SP", "Loss": "Hybrid", "Integ.": "Sub."}
        said = _of_bast(", ".join(design.values()))
        return PublishedTrack(said, ["Trained on", *headers], table, design=design)
    if track == "duration":
        lines = _csv("bast_mamba_duration.csv")
        headers = list(dict.fromkeys(f"{line['ms']} ms" for line in lines))
        designs: dict[tuple[str, ...], list[str]] = {}
        for line in lines:
            words = (
                f"BAST-Mamba-{line['sharing']}",
                LOSSES.get(line["loss"], line["loss"]),
                INTEGRATIONS[line["integration"]],
            )
            designs.setdefault(words, []).append(f"{float(line['ad_deg']):.2f}°")
        table = [[*words, *figures] for words, figures in designs.items()]
        return PublishedTrack(_of_bast("BAST-Mamba"), ["Model", "Loss", "Integ.", *headers], table)
    if track == "left-out-room":
        rooms = [f"room {room}" for room in "ABCD"]
        waveloc = ["WaveLoc, RMSE", *_WAVELOC_RMSE]
        return PublishedTrack(_WAVELOC, ["Model", *rooms], [waveloc], backbone="waveloc")
    return None


def published_on_track(track: str) -> list[dict[str, float]]:
    """The paper's curves on a track: AD by the label of the case ("20 dB", "clean", "100 ms").

    One a training SNR, or a design. Empty where the papers have none.
    """
    if track in ("snr", "snr-white"):
        return [
            {
                _snr_label(name.removeprefix("test_")): float(value)
                for name, value in line.items()
                if name.startswith("test_")
            }
            for line in _csv("bast_mamba_snr.csv")
        ]
    curves: dict[tuple[str, ...], dict[str, float]] = {}
    if track == "duration":
        for line in _csv("bast_mamba_duration.csv"):
            design = (line["sharing"], line["loss"], line["integration"])
            curves.setdefault(design, {})[f"{line['ms']} ms"] = float(line["ad_deg"])
    return [*curves.values()]


def section_of_track(track: str) -> list[str]:
    """The section of a track's leaderboard with the paper's figures; nothing when there are none."""
    found = published_track(track)
    if found is None:
        return []
    return [HEADING, "", *found.words, "", markdown(found.lines, found.headers), ""]


def _snr_label(word: str) -> str:
    return word if word == "clean" else f"{word} dB"


def _csv(file: str) -> list[dict[str, str]]:
    text = (resources.files("bastzoo") / "assets" / "published" / file).read_text()
    return list(csv.DictReader(text.splitlines()))
