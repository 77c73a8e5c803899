"""The notebooks of the documentation run from first to last cell, and are kept with what they showed."""

from __future__ import annotations

import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import pytest

import bastzoo as bz

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_with_a_tiny_preset(
    path: Path, tiny_preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)  # where it is run
    monkeypatch.setenv("MPLBACKEND", "Agg")
    module = types.ModuleType(f"notebook_{path.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # whose classes components name
    own = {"RUNS": str(tmp_path), "PRESET": str(tiny_preset), "STEPS": 4}
    registry = bz.default_registry()
    before = [*registry]
    for number, cell in enumerate(cells(path)):
        source = "".join(cell["source"])
        exec(compile(source, f"{path.name}[{number}]", "exec"), module.__dict__)
        if "parameters" in cell["metadata"].get("tags", []):
            module.__dict__.update({name: own[name] for name in own if name in module.__dict__})
    for component in [*registry]:
        if component not in before:
            registry.withdraw(component.kind, component.name, "it was a notebook's")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_its_outputs(path: Path) -> None:
    """`make notebooks` runs them; one that failed, or of which a cell was changed since, is not whole."""
    found = cells(path)
    assert [cell["execution_count"] for cell in found] == list(range(1, len(found) + 1))
    outputs = [output for cell in found for output in cell["outputs"]]
    assert outputs
    assert not [each for each in outputs if each["output_type"] == "error"]
    for cell in found:  # a picture that a notebook does not show is none
        if "bz.plot." in "".join(cell["source"]):
            assert any("image/png" in output.get("data", {}) for output in cell["outputs"])
    text = path.read_text(encoding="utf-8")
    own = (
        Path.home(),
        path.parents[2],
        Path(tempfile.gettempdir()),
    )  # of the machine that ran them
    assert not [folder for folder in own if f"{folder}/" in text]
