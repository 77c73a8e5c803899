"""Patches: which ones cover a spectrogram, how its edges are filled, and what a token is."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from bastzoo.errors import ComponentError
from bastzoo.zoo.backbones.patches import PatchEmbedding, patch_grid


def test_the_papers_spectrogram_is_20_by_9_patches():
    assert patch_grid((129, 61), patch=(16, 16), stride=(6, 6)) == (20, 9)
    assert PatchEmbedding(input_shape=(1, 129, 61), dim=4).grid == (20, 9)


def test_a_spectrogram_that_patches_cover_exactly_is_not_padded():
    patches = PatchEmbedding(input_shape=(1, 32, 24), dim=4, patch=(16, 8), stride=(16, 8))
    assert patches.grid == (2, 3)
    assert patches.padding == (0, 0, 0, 0)


def test_the_edges_are_reflected_at_the_top_and_on_the_right():
    patches = PatchEmbedding(input_shape=(1, 3, 3), dim=1, patch=(4, 4), stride=(4, 4))
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    whole = torch.tensor([[3, 4, 5, 4], [0, 1, 2, 1], [3, 4, 5, 4], [6, 7, 8, 7]]).float()
    expected = (patches.projection.weight * whole).sum() + patches.projection.bias
    torch.testing.assert_close(patches(x).squeeze(), expected.squeeze())


@given(
    channels=st.integers(1, 2),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    patch=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    stride=st.tuples(st.integers(1, 14), st.integers(1, 14)),
)
@settings(max_examples=60, deadline=None)
def test_a_token_is_a_linear_layer_on_a_flattened_patch(channels, size, patch, stride):
    try:
        patches = PatchEmbedding(
            input_shape=(channels, *size), dim=3, patch=patch, stride=stride
        ).double()
    except ComponentError:
        reject()  # too small to reflect
    x = torch.randn(2, channels, *size, dtype=torch.float64)
    padded = torch.nn.functional.pad(x, patches.padding, mode="reflect")
    cut = padded.unfold(2, patch[0], stride[0]).unfold(3, patch[1], stride[1])
    assert cut.shape[2:4] == patches.grid
    flat = rearrange(cut, "b c h w k l -> b (h w) (c k l)")
    expected = torch.nn.functional.linear(
        flat, patches.projection.weight.flatten(1), patches.projection.bias
    )
    torch.testing.assert_close(patches(x), expected)


def test_a_spectrogram_too_small_to_reflect_is_a_sentence():
    with pytest.raises(ComponentError, match=r"5 × 61 bins is too small for patches of 16 × 16"):
        PatchEmbedding(input_shape=(1, 5, 61), dim=4)
