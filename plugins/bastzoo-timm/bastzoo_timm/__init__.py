"""Any model of timm as an ear encoder: `--backbone timm/convnext_tiny`."""

from __future__ import annotations

from bastzoo import Component, hookimpl


@hookimpl
def bastzoo_backbones() -> list[Component]:
    """One record for all of timm's models."""
    return [
        Component(
            kind="backbone",
            name="timm/*",
            target="bastzoo_timm.backbone:Timm",
            summary="any image model of timm by its name, on the spectrogram of an ear",
            citation="Wightman, PyTorch Image Models, doi:10.5281/zenodo.4414861 (2019)",
            licence="Apache-2.0",
            requires=("timm",),
            members="bastzoo_timm.names:model_names",
            parameters={"pretrained": False},
            blindness={
                "ADD+SP": "swapping the ears changes nothing: left and right cannot be told apart",
                "SUB+SP": "clips with identical ears all give one answer",
            },
        )
    ]
