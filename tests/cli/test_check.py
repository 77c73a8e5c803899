"""`bastzoo check`: a table of promises kept, broken and skipped; exit code 1 when one is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import bastzoo, data
from tests.fake_distributions import Site

RECORDS = """
from bastzoo import Component, hookimpl

@hookimpl
def bastzoo_losses():
    return [
        Component("loss", "COSINE", "angle_ears.loss:Cosine", "1 - cos", "none", "MIT", needs=("vector",)),
        Component("loss", "NOTHING", "angle_ears.loss:Nothing", "zero", "", "MIT", needs=("vector",)),
    ]
"""
LOSSES = """
import torch

class Cosine:
    def __call__(self, outputs, targets):
        vector = outputs["vector"].float()
        return (1 - torch.cosine_similarity(vector, targets["direction"][:, :2])).mean()

class Nothing:
    def __call__(self, outputs, targets):
        return 0.0 * outputs["vector"].float().square().sum()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = Site(tmp_path_factory.mktemp("site"))
    files = {"angle_ears/__init__.py": RECORDS, "angle_ears/loss.py": LOSSES}
    site.install("angle-ears", files, {"angles": "angle_ears"})
    site.install_module("broken-ears", "raise OSError('lost')")
    return site.path


def check(*args: str, site: Path):
    return bastzoo("check", *args, site=site, BASTZOO_LOAD_PLUGINS="angle-ears,broken-ears")


def test_a_component_that_conforms(site: Path) -> None:
    done = check("cosine", site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[1] == "loss COSINE  (angle_ears.loss:Cosine, angle-ears)"
    assert "  pass     Gradient steps on the outputs make it smaller." in lines
    assert lines[-1] == "8 promises are kept, 0 broken, 0 skipped."


def test_a_distribution_with_one_that_does_not(site: Path) -> None:
    done = check("angle-ears", "--json", site=site)
    assert done.returncode == 1
    cosine, nothing = data(done)["components"]
    assert (cosine["name"], cosine["ok"]) == ("COSINE", True)
    assert (nothing["name"], nothing["ok"]) == ("NOTHING", False)
    failed = {f["promise"]: f["reason"] for f in nothing["findings"] if f["status"] == "fail"}
    assert failed["Gradient steps on the outputs make it smaller."] == "it went from 0 to 0"
    assert (
        "no citation" in failed["The record has a summary of one line, a citation and a licence."]
    )
    assert len(failed) == 2


def test_what_is_not_installed_can_be_checked(site: Path) -> None:
    done = bastzoo("check", "angle_ears:bastzoo_losses", site=site, BASTZOO_LOAD_PLUGINS="")
    assert done.returncode == 1
    assert "loss COSINE  (angle_ears.loss:Cosine, angle_ears)" in done.stdout
    assert "14 promises are kept, 2 broken, 0 skipped." in done.stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("cosin", "There is no component or plugin named 'cosin'. Did you mean 'COSINE'?"),
        (
            "broken-ears",
            "The plugin 'broken-ears' is broken: importing 'broken_ears' raised OSError",
        ),
        ("no_such_module:x", "'no_such_module:x' cannot be imported: No module named"),
        ("angle_ears.loss:Cosine", "is a type; name a Component, a list of them, or a plugin"),
    ],
)
def test_a_target_that_is_nothing_is_a_sentence(site: Path, target: str, message: str) -> None:
    done = check(target, site=site)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kind_that_has_no_such_component_is_a_sentence(site: Path) -> None:
    done = check("cosine", "--kind", "head", site=site)
    assert done.returncode == 1
    assert "There is no component or plugin named 'cosine'" in done.stderr
