"""The Python API answers as the command and the metrics do, and stays light."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bastzoo as bz
from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.acoustics.listeners.listener import default_listener
from bastzoo.acoustics.rendering import Renderer
from bastzoo.acoustics.rooms.shoebox import LECTURE_HALL, binaural_responses
from bastzoo.directions import direction_from_angles
from bastzoo.errors import ComponentError, DataError
from bastzoo.metrics import localization

ROOT = Path(__file__).parents[1]


def test_components_are_the_registrys() -> None:
    assert [c.name for c in bz.components("loss")] == [
        c.name for c in bz.default_registry().match("loss", "*")
    ]
    with pytest.raises(ComponentError):
        bz.components("backbones")


def test_models_are_found_without_regard_to_case_and_once_each() -> None:
    every = bz.list_models()
    assert len(every) == len(set(every))
    found = bz.list_models("*MAMBA/sub*")
    assert found == [name for name in every if "mamba/sub" in name.lower()]
    assert "mamba/SUB/MIX/SP" in found
    assert bz.list_models("no-such-model*") == []


def test_metrics_are_those_of_the_protocol_at_any_length_of_the_target() -> None:
    rng = np.random.default_rng(0)
    p, t = rng.normal(size=(2, 20, 3))
    t /= np.linalg.norm(t, axis=1, keepdims=True)
    sounds = np.arange(20) // 2
    expected = localization.localization_metrics(p, t, sounds=sounds)
    found = bz.localization_metrics(p, 4 * t, sounds=sounds)
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert expected["hemifield_gap_p"] is not None
    alone = bz.localization_metrics(p, t)
    assert alone == pytest.approx({**found, "hemifield_gap_p": None})


@pytest.mark.parametrize(
    ("predicted", "true", "sounds"),
    [
        ([[1, 0, 0]], [[0, 0, 0]], None),
        ([[1, 0]], [[1, 0]], None),
        (np.ones((0, 3)), np.ones((0, 3)), None),
        ([[1, 0, 0]], [[1, 0, 0]], [0, 1]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    predicted: object, true: object, sounds: object
) -> None:
    with pytest.raises(ValueError, match=r"true|sounds"):
        bz.localization_metrics(predicted, true, sounds=sounds)  # type: ignore[arg-type]


def test_a_rendered_sound_is_the_clip_that_models_are_tested_with() -> None:
    room, listener = LECTURE_HALL, default_listener()
    sound = np.random.default_rng(0).normal(size=CLIP_SAMPLES)
    direction = direction_from_angles(60.0)
    responses = binaural_responses(room, listener, direction)
    renderer = Renderer(torch.from_numpy(sound[None]).float(), torch.from_numpy(responses))
    first = torch.zeros(1, dtype=torch.int64)
    clip = bz.render(sound, azimuth=60, room="RI02")
    assert clip.dtype == np.float32
    np.testing.assert_allclose(clip, renderer.render(first, first)[0], atol=2e-4)
    # The same for what is longer, and at another rate.
    assert bz.render(np.tile(sound, 3), azimuth=60, rate=48_000).shape == (2, CLIP_SAMPLES)


@given(st.sampled_from([-10.0, 0.0, 25.0]), st.sampled_from(["speech", "white"]))
@settings(max_examples=6, deadline=None)
def test_the_noise_of_a_rendered_sound_is_as_loud_as_asked(snr_db: float, noise: Any) -> None:
    sound = np.random.default_rng(1).normal(size=12_000)
    clean = bz.render(sound, azimuth=-40, listener="kemar")
    noisy = bz.render(sound, azimuth=-40, listener="kemar", snr_db=snr_db, noise=noise, seed=3)
    added = (noisy - clean).astype(np.float64)
    found = 10 * np.log10(np.mean(clean.astype(np.float64) ** 2) / np.mean(added**2))
    assert found == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize(
    ("sound", "changed"),
    [
        (np.ones((2, 10)), {}),
        (np.array([]), {}),
        (np.array([np.nan]), {}),
        (np.ones(10), {"rate": 0}),
        (np.ones(10), {"room": "RI"}),
        (np.ones(10), {"listener": "nobody"}),
        (np.ones(10) + 1j, {}),
        (np.ones(10), {"elevation": -60.0, "listener": "kemar"}),  # it was measured down to -40
        (np.ones(10), {"elevation": 100.0}),
        (np.ones(10), {"azimuth": np.nan}),
        (np.ones(10), {"snr_db": np.nan}),
        (np.ones(10), {"snr_db": -np.inf}),
        (np.ones(10), {"seed": -1}),
    ],
)
def test_what_cannot_be_rendered_is_refused(sound: np.ndarray, changed: Any) -> None:
    with pytest.raises(DataError):
        bz.render(sound, **{"azimuth": 0, **changed})


def test_names_and_metrics_need_no_torch() -> None:
    code = (
        "import sys, bastzoo as bz; bz.list_models('*mamba*'); bz.components('backbone'); "
        "bz.localization_metrics([[1, 0, 0]], [[1, 0, 0]]); print('torch' in sys.modules)"
    )
    env = {**os.environ, "BASTZOO_LOAD_PLUGINS": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout == "False\n"
