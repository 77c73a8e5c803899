"""`--listener` and `--test-listener`: a mixture trains, another is tested, and the record says who."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.acoustics.conftest import toy_sofa
from tests.cli.command import bastzoo

AZIMUTHS = np.arange(0, 360, 10.0)
CLOCKWISE = np.stack([(-AZIMUTHS) % 360, 0 * AZIMUTHS, 0 * AZIMUTHS + 1.2], axis=-1)


def test_a_mixture_trains_and_another_listener_is_tested(tmp_path: Path, tiny_preset: Path) -> None:
    head = toy_sofa(tmp_path / "clockwise.sofa", SourcePosition=CLOCKWISE)
    what = ("--preset", str(tiny_preset), "--env", "RI01", "--backbone", "vanilla")
    out = ("--runs", str(tmp_path / "runs"), "--json")
    own = ("--listener", "kemar", "--listener", str(head), "--test-listener", "virtual/3")
    refused = bastzoo("train", *what, *own, *out)
    assert refused.returncode == 1
    assert "--azimuth-direction clockwise turns the azimuths" in refused.stderr
    done = bastzoo("train", *what, *own, "--azimuth-direction", "clockwise", *out)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    source = record["experiment"]["source"]
    assert source["listeners"] == ["kemar", str(head)]
    assert source["test_listeners"] == ["virtual/3"]
    assert record["evaluation"]["clips"] == 3 * 6
    plain = bastzoo("evaluate", "vanilla", *out)
    other = bastzoo("evaluate", "vanilla", "--listener", "virtual/3", "--env", "RI01", *out)
    third = bastzoo("evaluate", "vanilla", "--listener", "virtual/9", *out)
    for done in (plain, other, third):
        assert done.returncode == 0, done.stderr
    errors = [
        json.loads(done.stdout)["evaluations"][0]["metrics"]["ad_mean"]
        for done in (plain, other, third)
    ]
    assert errors[0] == errors[1] == record["evaluation"]["metrics"]["ad_mean"] != errors[2]
    # Each result has a file of its own: none takes another's place.
    assert len(list((tmp_path / "runs").glob("*/track-*"))) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("data", "info", "--hrtf", "a.sofa", "--hrtf", "b.sofa"), "is given more than once"),
        (("data", "info", "--listener", "nobody"), "There is no listener 'nobody'"),
        (
            ("train", "--azimuth-direction", "clockwise"),
            "name them with --data, --csv or --listener",
        ),
        (("train", "--hrtf-directions", "nearest"), "name one with --listener"),
        (("train", "--data", "a", "--listener", "kemar"), "are for rendering clips"),
    ],
)
def test_an_option_that_does_not_apply_is_said(words: tuple[str, ...], sentence: str) -> None:
    done = bastzoo(*words)
    assert done.returncode != 0
    assert sentence in " ".join(done.stderr.split())


def test_what_a_file_holds_is_told(tmp_path: Path) -> None:
    head = toy_sofa(tmp_path / "head.sofa")
    done = bastzoo("data", "info", "--listener", str(head))
    assert "gaps: horizontal plane 5.0°" in done.stdout
    assert "sample rate: 48,000 Hz" in done.stdout
    both = bastzoo("data", "info", "--hrtf", str(head), "--listener", str(head), "--json")
    assert json.loads(both.stdout)[str(head)]["directions"] == 36
