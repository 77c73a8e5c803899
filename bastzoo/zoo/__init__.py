"""The built-in zoo: a plugin like any other, registered through the same hooks.

Only records live here; the code behind a record is imported when the component is built.
"""

from __future__ import annotations

from bastzoo.hookspecs import hookimpl
from bastzoo.registry import Component
from bastzoo.zoo.offered import bastzoo_datasets as bastzoo_datasets
from bastzoo.zoo.offered import bastzoo_executors as bastzoo_executors
from bastzoo.zoo.offered import bastzoo_metrics as bastzoo_metrics
from bastzoo.zoo.offered import bastzoo_models as bastzoo_models
from bastzoo.zoo.offered import bastzoo_tracks as bastzoo_tracks

_BAST = (
    "Kuang, van der Heijden, Mehrkanoon, BAST: Binaural Audio Spectrogram Transformer for Binaural "
    "Sound Localization, arXiv:2207.03927 (2022)"
)
_BAST_MAMBA = (
    "Kuang, van der Heijden, Mehrkanoon, BAST-Mamba: Binaural Audio Spectrogram Mamba Transformer "
    "for Binaural Sound Localization, Neurocomputing (2025)"
)
_TEMPLATE = "after May et al., IEEE Trans. Audio Speech Lang. Process. 19:1 (2011)"
_LICENCE = "Apache-2.0"
_DIRECTIONAL = "Mardia, Jupp, Directional Statistics (2000)"
_POSTERIOR = "after Ma, May, Brown, IEEE/ACM Trans. Audio Speech Lang. Process. 25:2444 (2017)"
_BLURRED = "after He, Motlicek, Odobez, Proc. IEEE ICRA (2018)"
_NONE = "none"


_GIVES = {
    "azimuth": "vector",
    "direction": "vector",
    "elevation": "elevation",
    "class": "class_logits",
}
_TASKS = ("elevation", "class")

# Exact for every backbone whose ear encoder is a function of one ear alone.
_BLINDNESS = {
    "ADD+SP": "swapping the ears changes nothing: left and right cannot be told apart",
    "SUB+SP": "clips with identical ears all give one answer",
}


@hookimpl
def bastzoo_backbones() -> list[Component]:
    """The three encoders of the BAST papers."""
    return [
        Component(
            kind="backbone",
            name="mamba",
            aliases=("BAST-Mamba",),
            target="bastzoo.zoo.backbones.mamba:Mamba",
            summary="MambaVision mixers on windows of the token grid (BAST-Mamba)",
            citation=f"{_BAST_MAMBA}; Hatamizadeh, Kautz, MambaVision, arXiv:2407.08083 (2024)",
            licence=_LICENCE,
            probe="bastzoo.zoo.backbones:mamba_availability",
            blindness=_BLINDNESS,
            budget={"ms": 40, "mib": 30},
        ),
        Component(
            kind="backbone",
            name="vanilla",
            aliases=("ViT", "BAST"),
            target="bastzoo.zoo.backbones.vanilla:Vanilla",
            summary="Vision transformer with a class token and learned positions (BAST)",
            citation=f"{_BAST}; Dosovitskiy et al., ViT, arXiv:2010.11929 (2020)",
            licence=_LICENCE,
            blindness=_BLINDNESS,
            budget={"ms": 30, "mib": 25},
        ),
        Component(
            kind="backbone",
            name="swin",
            aliases=("BAST-Swin",),
            target="bastzoo.zoo.backbones.swin:Swin",
            summary="Swin blocks, window 7, never shifted, no positions (BAST)",
            citation=f"{_BAST}; Liu et al., Swin Transformer, arXiv:2103.14030 (2021)",
            licence=_LICENCE,
            blindness=_BLINDNESS,
            budget={"ms": 30, "mib": 25},
        ),
        *(
            Component(
                kind="backbone",
                name=f"{name}-stem",
                target=f"bastzoo.zoo.backbones.{name}:{name.capitalize()}",
                version=2,
                summary=f"{name} whose tokens three convolutions make; frames read whole, and weighed",
                citation=f"{paper}; Xiao et al., Early Convolutions, arXiv:2106.14881 (2021)",
                licence=_LICENCE,
                probe="bastzoo.zoo.backbones:mamba_availability" if name == "mamba" else "",
                parameters={"stem": True, "pool": "frames", **more},
                blindness=_BLINDNESS,
                budget={"ms": 150, "mib": 50},
            )
            # Windows of 4 × 4 leave the fewest places of a stem's 9 × 8 tokens empty.
            for name, paper, more in (
                ("mamba", _BAST_MAMBA, {"window": 4}),
                ("vanilla", _BAST, {}),
                ("swin", _BAST, {"window": 4}),
            )
        ),
        Component(
            kind="backbone",
            name="conv",
            target="bastzoo.zoo.backbones.conv:Conv",
            summary="convolutions at full resolution: ears meet after the first, then attention over time",
            citation=_NONE,
            licence=_LICENCE,
            blindness=_BLINDNESS,
            budget={"ms": 150, "mib": 50},
        ),
    ]


@hookimpl
def bastzoo_integrations() -> list[Component]:
    """How the features of two ears become one."""
    rows = {
        "ADD": "left + right",
        "SUB": "left - right",
        "CONCAT": "left and right side by side: twice the width",
    }
    return [
        Component(
            kind="integration",
            name=name,
            aliases=(f"{name}.",),  # as the papers' tables shorten it
            target=f"bastzoo.zoo.integrations:{name.capitalize()}",
            summary=summary,
            citation=_BAST,
            licence=_LICENCE,
        )
        for name, summary in rows.items()
    ]


@hookimpl
def bastzoo_losses() -> list[Component]:
    """The papers' three losses, and the two whose angle is exact."""
    rows = [
        ("MSE", "MSE", "mean squared error of the coordinates", _BAST),
        ("AD", "AngularDistance", "arc cosine clamped to ±0.999: no gradient below 2.56°", _BAST),
        ("MIX", "Mix", "MSE + AD", _BAST),
        (
            "AD-EXACT",
            "ExactAngularDistance",
            "atan2(|p × t|, p · t): a gradient at every angle",
            _NONE,
        ),
        ("MIX-EXACT", "ExactMix", "MSE + AD-EXACT", _NONE),
    ]
    return [
        Component(
            kind="loss",
            name=name,
            aliases=("hybrid",) if name == "MIX" else (),
            target=f"bastzoo.zoo.losses:{target}",
            summary=summary,
            citation=citation,
            licence=_LICENCE,
            needs=("vector",),
        )
        for name, target, summary, citation in rows
    ] + [
        Component(
            kind="loss",
            name=name,
            target=f"bastzoo.zoo.{target}",
            summary=f"negative log likelihood of the true {of}",
            citation=citation,
            licence=_LICENCE,
            needs=needs,
        )
        for name, target, of, citation, needs in (
            (
                "VMF",
                "vmf.loss:NegativeLogLikelihood",
                "direction (von Mises-Fisher)",
                _DIRECTIONAL,
                ("vector", "concentration"),
            ),
            (
                "NLL",
                "posterior:AzimuthLikelihood",
                "azimuth, blurred over its neighbours",
                _BLURRED,
                ("azimuth_logits",),
            ),
        )
    ]


@hookimpl
def bastzoo_heads() -> list[Component]:
    """What the network answers."""
    alone = [
        ("azimuth", "Azimuth", "(x, y) of the direction in the horizontal plane", _BAST),
        ("direction", "Direction", "(x, y, z) of the direction, elevation included", _NONE),
    ]
    several = [
        (("azimuth", "class"), "azimuth, and what it was"),
        (("azimuth", "elevation", "class"), "azimuth, elevation in degrees, and what it was"),
        (("direction", "class"), "(x, y, z) of the direction, and what it was"),
    ]
    return [
        *(
            Component(
                kind="head",
                name=name,
                target=f"bastzoo.zoo.heads:{target}",
                summary=summary,
                citation=citation,
                licence=_LICENCE,
                gives=("vector",),
            )
            for name, target, summary, citation in alone
        ),
        *(
            Component(
                kind="head",
                name="+".join(parts),
                target="bastzoo.zoo.heads:Several",
                summary=summary,
                citation=_NONE,
                licence=_LICENCE,
                parameters={"parts": list(parts)},
                gives=tuple(_GIVES[part] for part in parts),
                needs=tuple(part for part in parts if part in _TASKS),
                terms=tuple(part for part in parts if part in _TASKS),
            )
            for parts, summary in several
        ),
        *(
            Component(
                kind="head",
                name=name,
                target="bastzoo.zoo.vmf.head:VonMisesFisher",
                summary=summary,
                citation=_DIRECTIONAL,
                licence=_LICENCE,
                parameters={"coordinates": coordinates},
                gives=("vector", "concentration"),
                budget={"ms": 2, "mib": 2},
            )
            for name, coordinates, summary in (
                ("vmf-azimuth", 2, "azimuth with a confidence: a von Mises distribution"),
                ("vmf", 3, "direction with a confidence: a von Mises-Fisher distribution"),
            )
        ),
        Component(
            kind="head",
            name="posterior",
            target="bastzoo.zoo.posterior:AzimuthPosterior",
            summary='probabilities of 72 azimuths, which can say "front or back"; least expected error',
            citation=_POSTERIOR,
            licence=_LICENCE,
            gives=("azimuth_logits",),
            budget={"ms": 2, "mib": 2},
        ),
        Component(
            kind="head",
            name="multi",
            target="bastzoo.zoo.slots:Slots",
            summary="several sources at a time: slots of direction, class and presence",
            citation="after Carion et al., DETR, arXiv:2005.12872 (2020)",
            licence=_LICENCE,
            gives=("vector",),
            needs=("class",),
            terms=("class", "presence"),
            sources=3,
        ),
    ]


@hookimpl
def bastzoo_frontends() -> list[Component]:
    """From waveforms to what an encoder sees."""
    return [
        Component(
            kind="frontend",
            name="spectrogram",
            target="bastzoo.zoo.frontends:Spectrogram",
            summary="BAST's log power spectrogram, z-scored over both ears: 129 × 61",
            citation=_BAST,
            licence=_LICENCE,
            budget={"ms": 20, "mib": 10},
        ),
        Component(
            kind="frontend",
            name="mel",
            target="bastzoo.zoo.mel:Mel",
            summary="log-mel spectrogram of 128 bands, z-scored over both ears",
            citation="Slaney, Auditory Toolbox (1998)",
            licence=_LICENCE,
            budget={"ms": 30, "mib": 15},
        ),
        Component(
            kind="frontend",
            name="binaural",
            target="bastzoo.zoo.binaural:Binaural",
            summary="log magnitude, level difference, and GCC-PHAT in eight bands: 129 lags to ±1 ms",
            citation="Knapp, Carter, IEEE Trans. Acoust. Speech Signal Process. 24:320 (1976)",
            licence=_LICENCE,
            budget={"ms": 40, "mib": 40},
        ),
        Component(
            kind="frontend",
            name="precomputed",
            target="bastzoo.zoo.frontends:Precomputed",
            summary="spectrograms that come ready-made, from a CSV index (--csv)",
            citation=_NONE,
            licence=_LICENCE,
        ),
    ]


@hookimpl
def bastzoo_environments() -> list[Component]:
    """Where the sounds are heard."""
    rows = {
        "RI01": "anechoic room",
        "RI02": "lecture hall, 10 × 14 m, RT60 near 0.8 s",
        "RI": "both: RI01 and RI02",
        "wild": "made rooms by the thousand, 33 listeners, colours, noise, running sound",
    }
    return [
        Component(
            kind="environment",
            name=name,
            target=f"bastzoo.data.environments:{name.lower()}",
            summary=summary,
            citation=_BAST,
            licence=_LICENCE,
        )
        for name, summary in rows.items()
    ]


@hookimpl
def bastzoo_baselines() -> list[Component]:
    """Whole methods that need no training by gradient."""
    rows = [
        ("chance", "Chance", "a direction drawn at random, whatever is heard", _NONE),
        (
            "ITD",
            "ItdTemplate",
            "nearest template of interaural time differences by band",
            _TEMPLATE,
        ),
        (
            "ILD",
            "IldTemplate",
            "nearest template of the spectrum of interaural level differences",
            _TEMPLATE,
        ),
        (
            "ITD+ILD",
            "ItdIldTemplate",
            "both templates, each scaled by its spread within a direction",
            _TEMPLATE,
        ),
        (
            "GCC-PHAT",
            "GccPhatRidge",
            "ridge regression from the generalised cross-correlation with phase transform",
            "Knapp, Carter, IEEE Trans. ASSP 24:320 (1976)",
        ),
    ]
    return [
        Component(
            kind="baseline",
            name=name,
            target=f"bastzoo.zoo.baselines:{target}",
            summary=summary,
            citation=citation,
            licence=_LICENCE,
        )
        for name, target, summary, citation in rows
    ]
