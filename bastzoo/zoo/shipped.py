"""The records of the models that come with bastzoo; their folders are in `assets/models/`."""

from __future__ import annotations

from bastzoo.hookspecs import hookimpl
from bastzoo.registry import Component

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
