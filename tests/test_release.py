"""What is released says one thing: one version, the same dependencies everywhere, files that can be read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import bastzoo

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pairs(lines: list[str]) -> dict[str, str]:
    """Name -> lowest version of requirements."""
    found = [re.match(r"([\w.-]+)(?:\[.*\])? *>=([\d.]+)", line) for line in lines]
    return {match[1].lower().replace("_", "-"): match[2] for match in found if match}


@pytest.mark.parametrize(
    "place",
    [
        r"^version: (\S+)$ in CITATION.cff",
        r"^## (\d\S+) in CHANGELOG.md",
        r'^  version: "(\S+)"$ in packaging/conda/recipe.yaml',
    ],
)
def test_every_file_names_the_version_of_the_package(place: str) -> None:
    pattern, _, name = place.rpartition(" in ")
    found = re.search(pattern, text(name), re.MULTILINE)
    assert found
    assert found[1] == bastzoo.__version__


def test_the_conda_recipe_needs_what_the_package_needs() -> None:
    """Under the names that conda-forge has for them."""
    others = {"pysoundfile": "soundfile", "soxr-python": "soxr", "pytorch": "torch"}
    run = text("packaging/conda/recipe.yaml").partition("\n  run:\n")[2].partition("\n\n")[0]
    found = pairs([line.strip(" -") for line in run.splitlines()])
    python = found.pop("python")
    assert PROJECT["requires-python"] == f">={python}"
    assert {others.get(name, name): low for name, low in found.items()} == pairs(
        PROJECT["dependencies"]
    )


def test_the_image_copies_only_what_is_here_and_let_through() -> None:
    ignored = text(".dockerignore").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text("Dockerfile"), re.MULTILINE)
    for name in {word for line in copied for word in line.split()}:
        assert (ROOT / name).exists(), name
        assert f"!{name.removeprefix('./')}" in ignored, name


def test_the_image_runs_as_a_user_and_leaves_no_cache() -> None:
    lines = text("Dockerfile").splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER bastzoo"]
    for line in re.findall(r"pip (?:install|wheel) .*", text("Dockerfile")):
        assert "--no-cache-dir" in line
    assert not [line for line in lines if line.startswith("FROM") and ":" not in line]


def test_every_dependency_is_used_and_every_import_is_a_dependency() -> None:
    """By the name that a package is imported as; what only extras bring is imported where it is used."""
    imported_as = {"huggingface-hub": "huggingface_hub"}
    sources = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "bastzoo").rglob("*.py"))
    for name in pairs(PROJECT["dependencies"]):
        module = imported_as.get(name, name.replace("-", "_"))
        if name == "torchvision":  # timm imports it; a build that does not fit torch's breaks both
            continue
        assert re.search(rf"^\s*(?:import|from) {module}\b", sources, re.MULTILINE), name
