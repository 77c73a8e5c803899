"""`bastzoo new-plugin`: what it writes installs, conforms, and gets a row, before a line is changed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bastzoo.registry import KINDS
from bastzoo.testing.runner import findings
from tests.cli.command import bastzoo


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site directory with a new backbone and a new integration, installed by pip from elsewhere."""
    empty = tmp_path_factory.mktemp("empty")
    site = tmp_path_factory.mktemp("site")
    for name, kind in (("own-ears", "backbone"), ("own-sum", "integration")):
        done = bastzoo("new-plugin", name, "--kind", kind, "--to", str(empty))
        assert done.returncode == 0, done.stderr
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        options = ["--no-build-isolation", "--no-index", "--target", str(site)]
        subprocess.run([*command, *options, str(empty / name)], check=True, timeout=120)
    return site


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    done = bastzoo("new-plugin", "my.ears", "--kind", "head", "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"pip install -e {tmp_path / 'my.ears'}" in done.stdout
    assert "bastzoo check my.ears" in done.stdout
    assert "--head my.ears" in done.stdout
    written = {str(p.relative_to(tmp_path / "my.ears")) for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {
        *("pyproject.toml", "README.md", ".gitignore", "my_ears/__init__.py", "my_ears/head.py"),
        "tests/test_my_ears.py",
    }
    assert not [p for p in tmp_path.iterdir() if p.name != "my.ears"]


def test_the_installed_package_is_listed(installed: Path) -> None:
    done = bastzoo("list", "backbone", "own*", site=installed, BASTZOO_LOAD_PLUGINS="own-ears")
    assert "own-ears  patches, and MLPs across tokens" in done.stdout
    assert "[from own-ears]" in done.stdout


def test_the_installed_package_gets_rows_beside_others(installed: Path, tiny_preset: Path) -> None:
    options = ["--loss", "MIX", "--sharing", "SP", "--preset", str(tiny_preset), "--env", "RI01"]
    done = bastzoo(
        *("bench", "--backbone", "own-ears", "--integ", "all", *options),
        *("--runs", str(installed / "runs")),
        site=installed,
        BASTZOO_LOAD_PLUGINS="own-ears,own-sum",
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if "| own-ears-SP" in line]
    plain = [[cell.strip() for cell in row] for row in rows if row[1].startswith(" own-ears")]
    assert [row[3] for row in plain] == ["Concat.", "Add.", "Sub.", "own-sum"]
    (record,) = (installed / "runs").glob("own_ears-own_sum-*/record.json")
    versions = json.loads(record.read_text())["provenance"]["versions"]
    assert versions["own-ears"] == versions["own-sum"] == "0.1.0"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_keeps_its_promises_as_it_is(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"fresh_{kind}"
    done = bastzoo("new-plugin", name, "--kind", kind, "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(tmp_path / name))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / name))
    module = importlib.import_module(name)
    (hook,) = [h for n, h in vars(module).items() if n.startswith("bastzoo_")]
    (component,) = hook()
    assert (component.kind, component.name) == (kind, name)
    found = list(findings(component, entry_point=name))
    assert {f.promise: f.reason for f in found if f.status == "fail"} == {}
    assert sum(f.status == "pass" for f in found) >= 4


def test_its_own_tests_pass(tmp_path: Path) -> None:
    done = bastzoo("new-plugin", "quick-loss", "--kind", "loss", "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"],
        cwd=tmp_path / "quick-loss",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout
    assert "8 passed" in ran.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my ears", "'my ears' cannot name a package; begin with a letter"),
        ("-ears", "No such option"),
        ("class", "would be called 'class', a word of Python"),
        ("json", "would be called 'json', a word of Python"),
        ("torch", "A module 'torch' is installed here already"),
        ("mamba", "bastzoo registers the backbone 'mamba' already"),
    ],
)
def test_a_name_that_cannot_be_is_a_sentence(name: str, message: str, tmp_path: Path) -> None:
    done = bastzoo("new-plugin", name, "--kind", "backbone", "--to", str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    done = bastzoo("new-plugin", "taken", "--kind", "backbone", "--to", str(tmp_path))
    assert done.returncode == 1
    assert "exists already; remove it, or choose another name." in done.stderr
    assert not list((tmp_path / "taken").iterdir())


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = bastzoo("new-plugin", "ears", "--kind", "loss", "--to", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "There is no folder" in done.stderr
