"""The Python API answers as the command and the metrics do, and stays light."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bastzoo as bz
from bastzoo import api
from bastzoo.errors import ComponentError
from bastzoo.metrics import localization

ROOT = Path(__file__).parents[1]


def test_the_examples_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    failed, tried = doctest.testmod(api)
    assert tried
    assert not failed


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
