"""Heads: outputs and what they mean, down to answers that mean nothing."""

from __future__ import annotations

import pytest
import torch

from bastzoo.zoo.heads import Azimuth


def test_azimuth_gives_a_point_in_the_plane():
    outputs = Azimuth(width=8)(torch.randn(5, 8))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"vector": (5, 2)}


@pytest.mark.parametrize("length", [1e-30, 1e-3, 1.0, 1e30])
def test_azimuth_decodes_to_a_unit_vector_in_the_plane(length: float):
    decoded = Azimuth.decode({"vector": torch.tensor([[3.0, -4.0]]) * length})
    torch.testing.assert_close(decoded["direction"], torch.tensor([[0.6, -0.8, 0.0]]))


@pytest.mark.parametrize("x", [0.0, torch.nan, torch.inf])
def test_a_vector_without_direction_decodes_to_nan_and_spoils_no_other(x: float):
    decoded = Azimuth.decode({"vector": torch.tensor([[x, 0.0], [0.0, 2.0]])})["direction"]
    assert decoded[0].isnan().all()
    assert decoded[1].tolist() == [0.0, 1.0, 0.0]


def test_half_precision_outputs_decode_in_single():
    vector = torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16)
    assert Azimuth.decode({"vector": vector})["direction"].dtype == torch.float32
