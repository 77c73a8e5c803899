"""Backbones: the contract that all of them keep, and what is particular to each."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from bastzoo.errors import ComponentError
from bastzoo.model import Backbone
from bastzoo.registry import accepted
from bastzoo.zoo.backbones.mamba import Mamba, Mixer
from bastzoo.zoo.backbones.swin import Swin
from bastzoo.zoo.backbones.vanilla import Vanilla

BACKBONES = [Vanilla, Swin, Mamba]


def build(backbone, **changes):
    offered = {
        "input_shape": (1, 129, 61),
        "dim": 16,
        "depth": 2,
        "heads": 2,
        "dim_head": 4,
        "mlp_dim": 32,
        "patch": (16, 16),
        "stride": (16, 16),
        **changes,
    }
    torch.manual_seed(0)
    return backbone(**accepted(backbone, offered)).eval()


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(
    ("changes", "grid"),
    [
        ({}, (9, 4)),
        ({"stride": (6, 6)}, (20, 9)),
        ({"stride": (8, 12), "patch": (20, 12)}, (15, 6)),
        ({"input_shape": (2, 40, 20)}, (3, 2)),
        ({"input_shape": (1, 16, 16)}, (1, 1)),
        ({"window": 3}, (9, 4)),
    ],
)
def test_tokens_are_the_prefix_and_the_grid_and_keep_their_shape(backbone, changes, grid):
    built = build(backbone, **changes)
    assert isinstance(built, Backbone)
    assert built.grid == grid
    tokens = built.embed(torch.randn(3, *changes.get("input_shape", (1, 129, 61))))
    assert tokens.shape == (3, built.prefix_tokens + grid[0] * grid[1], built.dim)
    assert built.encoder(built.dim)(tokens).shape == tokens.shape
    wide = torch.cat([tokens, tokens], dim=-1)
    assert built.encoder(2 * built.dim)(wide).shape == wide.shape


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_encoder_has_weights_of_its_own(backbone):
    built = build(backbone)
    first, second = (dict(built.encoder(16).named_parameters()) for _ in range(2))
    matrices = [name for name in first if name.endswith("mlp.fc1.weight")]
    assert len(matrices) == 2
    assert all(not torch.equal(first[name], second[name]) for name in matrices)
    assert not {id(p) for p in first.values()} & {id(p) for p in second.values()}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_gradient_reaches_every_parameter(backbone):
    built = build(backbone)
    encoder = built.encoder(16)
    encoder(built.embed(torch.randn(2, 1, 129, 61))).square().mean().backward()
    for part in (built, encoder):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


@pytest.mark.parametrize("backbone", BACKBONES)
def test_dropout_is_for_training_only(backbone):
    built = build(backbone, dropout=0.5, embed_dropout=0.5)
    x = torch.randn(2, 1, 129, 61)
    encoder = built.encoder(16)
    for part, value in ((built.embed, x), (encoder, built.embed(x))):
        for training in (True, False):
            built.train(training)
            encoder.train(training)
            assert torch.equal(part(value), part(value)) is not training


@pytest.mark.parametrize("backbone", BACKBONES)
def test_mixed_precision_stays_close(backbone):
    built = build(backbone)
    encoder = built.encoder(16).eval()
    tokens = built.embed(torch.randn(2, 1, 129, 61)).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = encoder(tokens)
    torch.testing.assert_close(mixed.float(), encoder(tokens), rtol=0.05, atol=0.1)
    mixed.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize(("backbone", "reach"), [(Vanilla, 36), (Swin, 9), (Mamba, 9)])
def test_a_token_is_heard_within_its_window_only(backbone, reach):
    built = build(backbone, window=3)
    encoder = built.encoder(16).eval()
    tokens = torch.randn(1, built.prefix_tokens + 36, 16)
    changed = tokens.clone()
    changed[0, built.prefix_tokens] = torch.randn(
        16
    )  # the first token of the grid, and of its first window
    moved = (encoder(changed) - encoder(tokens)).abs().amax(-1)[0, built.prefix_tokens :] > 0
    assert moved.sum() == reach
    assert moved.reshape(9, 4)[:3, :3].all()


@pytest.mark.parametrize("backbone", [Vanilla, Swin])
@pytest.mark.parametrize("mlp_dim", [1, 7, 100, 49])
def test_the_hidden_width_of_the_mlp_is_mlp_dim_whatever_the_width(backbone, mlp_dim):
    built = build(backbone, dim=48, mlp_dim=mlp_dim)
    for width in (48, 96):
        hidden = {
            m.out_features for name, m in built.encoder(width).named_modules() if "fc1" in name
        }
        assert hidden == {mlp_dim}


def test_vanilla_has_one_class_token_and_one_table_of_positions_before_the_encoders():
    built = build(Vanilla)
    assert built.prefix_tokens == 1
    assert built.positions.shape == (1, 37, 16)
    tokens = built.embed(torch.randn(2, 1, 129, 61))
    torch.testing.assert_close(
        tokens[:, 0], (built.class_token + built.positions)[:, 0].expand(2, -1)
    )


def test_vanilla_heads_have_a_width_of_their_own():
    attention = build(Vanilla, heads=3, dim_head=5).encoder(16).blocks[0].attn
    assert attention.qkv.weight.shape == (3 * 3 * 5, 16)


def test_swin_refuses_a_width_that_its_heads_cannot_share():
    with pytest.raises(ComponentError, match="cannot share 16 features among 3 heads"):
        build(Swin, heads=3).encoder(16)


def test_mamba_has_an_mlp_of_a_multiple_of_the_width():
    built = build(Mamba, dim=16, mlp_dim=47)
    assert built.encoder(32).blocks[0].mlp.fc1.out_features == 64
    with pytest.raises(ComponentError, match="mlp_dim 8 must not be less than dim 16"):
        build(Mamba, dim=16, mlp_dim=8)


def test_mamba_refuses_an_odd_width_and_an_even_kernel():
    with pytest.raises(ComponentError, match="halves its width, and 15 is odd"):
        build(Mamba, dim=15).encoder(15)
    with pytest.raises(ComponentError, match="kernel must be odd, not 4"):
        build(Mamba, kernel=4).encoder(16)


def test_mamba_starts_with_steps_from_a_thousandth_to_a_tenth():
    mixer = Mixer(width=512, state=8, kernel=3)
    step = nn.functional.softplus(2 * mixer.dt_proj.bias)
    assert step.min() >= 0.001 * 0.999
    assert step.max() <= 0.1 * 1.001
    assert step.min() < 0.002 < 0.05 < step.max()
    torch.testing.assert_close(mixer.A_log.exp(), torch.arange(1.0, 9.0).expand(256, 8))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_mamba_convolves_each_channel_along_the_sequence(kernel: int):
    mixer = Mixer(width=6, state=2, kernel=kernel)
    tokens = torch.randn(3, 10, 6)
    expected = nn.functional.conv1d(
        tokens.transpose(1, 2), mixer.conv.weight, padding="same", groups=6
    )
    torch.testing.assert_close(mixer._convolve(tokens), expected.transpose(1, 2))


def test_mamba_scans_forward_and_looks_ahead_by_its_convolution_only():
    mixer = Mixer(width=8, state=4, kernel=3)
    tokens = torch.randn(1, 12, 8)
    changed = tokens.clone()
    changed[0, 6] = torch.randn(8)
    moved = (mixer(changed) - mixer(tokens)).abs().amax(-1)[0] > 0
    assert moved.tolist() == [False] * 5 + [True] * 7


def test_mamba_says_which_scan_it_has_without_importing_torch():
    script = (
        "import sys; from bastzoo.zoo.backbones import mamba_availability as a; r = a(); "
        "assert r.ok and 'on a CPU the' in r.reason and 'on a GPU the' in r.reason, r; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": "."})


def test_mamba_says_when_a_scan_is_asked_for(monkeypatch):
    from bastzoo.zoo.backbones import mamba_availability

    monkeypatch.setenv("BASTZOO_SCAN", "reference")
    assert "asks for the reference scan" in mamba_availability().reason
