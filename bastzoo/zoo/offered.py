"""The built-in records that are no part of a network: executors, data sets, metrics, tracks, models."""

from __future__ import annotations

from bastzoo.hookspecs import hookimpl
from bastzoo.metrics.questions import QUESTIONS
from bastzoo.registry import Component

_RAY = "Moritz et al., Ray, arXiv:1712.05889 (2018)"
_DETECTION = "Mesaros et al., WASPAA (2019)"
_LICENCE = "Apache-2.0"
_POLAR = "Middlebrooks, J. Acoust. Soc. Am. 106:1493 (1999)"
_NONE = "none"
_BAST = "Kuang, van der Heijden, Mehrkanoon, arXiv:2207.03927 (2022)"

_MODELS = (
    (
        "default",
        "azimuth with a confidence, in rooms: trained on made ones by the thousand",
        "none",
    ),
    ("multitask", "direction all round and class, swin with SUB: on the embedded data", _BAST),
    ("quick-vanilla", "the ViT of the quick board (SUB, AD, SP): on the embedded data", _BAST),
    ("quick-swin", "the Swin of the quick board (SUB, AD, SP): on the embedded data", _BAST),
    ("quick-mamba", "the Mamba of the quick board (SUB, AD, SP): on the embedded data", _BAST),
)


@hookimpl
def bastzoo_executors() -> list[Component]:
    """Where the jobs of a grid run."""
    rows = [
        ("local", "local:Local", "this machine: one process, or --jobs N of them", _NONE, ()),
        ("ray", "ray:Ray", "a Ray cluster: runs as tasks (--address)", _RAY, ("ray",)),
    ]
    return [
        Component(
            kind="executor",
            name=name,
            target=f"bastzoo.harness.executors.{target}",
            summary=summary,
            citation=citation,
            licence=_LICENCE,
            requires=requires,
        )
        for name, target, summary, citation, requires in rows
    ]


@hookimpl
def bastzoo_datasets() -> list[Component]:
    """What is there without fetching anything."""
    return [
        Component(
            kind="dataset",
            name="embedded",
            target="bastzoo.data.sets.embedded:embedded",
            summary="MIT's KEMAR, and the virtual listeners made from it",
            citation="Gardner & Martin, J. Acoust. Soc. Am. 97:3907 (1995)",
            licence="Apache-2.0",
        )
    ]


@hookimpl
def bastzoo_metrics() -> list[Component]:
    """Figures that are computed from answers."""
    rows = [
        ("localization", "angles, accuracies and confusions of directions", _NONE),
        ("classes", "what heads say of classes, alone and with the direction", _DETECTION),
        ("calibration", "whether heads know how sure they can be", "Guo et al., arXiv:1706.04599"),
        ("sources", "several sources at a time: how many, where, what", _DETECTION),
        ("rmse", "root mean squared errors of the azimuth and the lateral angle", _NONE),
        ("polar", "polar and lateral angles, as psychoacoustics scores them", _POLAR),
        ("confidence", "whether the answers it is confident of are the better ones", _NONE),
    ]
    return [
        Component(
            kind="metric",
            name=name,
            target=f"bastzoo.metrics.catalogue:{name}",
            summary=summary,
            citation=citation,
            licence=_LICENCE,
        )
        for name, summary, citation in rows
    ]


@hookimpl
def bastzoo_tracks() -> list[Component]:
    """Questions that runs are asked."""
    return [
        Component(
            kind="track",
            name=name,
            target=f"bastzoo.zoo.tracks:{name.replace('-', '_')}",
            summary=question,
            citation=_NONE,
            licence=_LICENCE,
        )
        for name, question in QUESTIONS.items()
    ]


@hookimpl
def bastzoo_models() -> list[Component]:
    """Models with weights."""
    return [
        Component(
            kind="model",
            name=name,
            target="bastzoo.models.shipped:folder",
            summary=summary,
            citation=citation,
            licence="Apache-2.0",
            parameters={"package": name},
        )
        for name, summary, citation in _MODELS
    ]
