"""The house: imports go one way and never round, and no file or folder grows beyond what one reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "bastzoo"
LONGEST_FILE, MOST_MODULES = 400, 12

# From the ground up: what stands in a floor imports from its own and from those below.
FLOORS = (
    {"errors", "directions", "hookspecs", "limits"},
    {
        "registry",
        "conditions",
        "metrics",
        "acoustics",
        "discovery",
        "plugins",
        "experiment",
        "presets",
    },
    {"ops", "zoo", "model"},
    {"data"},
    {"engine", "records"},
    {"models", "boards"},
    {"harness", "plots", "explanation"},
    {"api", "site", "answers", "testing"},
    {"cli", "__main__"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@cache
def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = ["bastzoo", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(node: ast.AST) -> Iterator[str]:
    """What a module imports, sooner or later: all but what is for the type checker alone."""
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.If)
            and isinstance(child.test, ast.Name)
            and child.test.id == "TYPE_CHECKING"
        ):
            continue
        if isinstance(child, ast.ImportFrom) and (child.module or "").startswith("bastzoo"):
            for name in child.names:
                inner = f"{child.module}.{name.name}"
                yield inner if inner in modules() else str(child.module)
        elif isinstance(child, ast.Import):
            yield from (name.name for name in child.names if name.name.startswith("bastzoo"))
        yield from imported(child)


@cache
def graph() -> dict[str, set[str]]:
    return {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")))) - {name}
        for name, path in modules().items()
    }


def test_imports_go_one_way() -> None:
    up = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if name != "bastzoo" and other != "bastzoo"
        if FLOOR_OF[other.split(".")[1]] > FLOOR_OF[name.split(".")[1]]
    ]
    assert not up


def test_no_import_goes_round() -> None:
    rest = {name: set(others) for name, others in graph().items()}
    while free := [name for name, others in rest.items() if not others & rest.keys()]:
        for name in free:
            del rest[name]
    assert not rest


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in ROOT.rglob("*.py")}), ids=lambda f: f.name
)
def test_a_folder_and_its_files_are_of_a_size_that_one_reads(folder: Path) -> None:
    files = sorted(folder.glob("*.py"))
    assert len(files) <= MOST_MODULES, [path.name for path in files]
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_every_shape_in_an_annotation_is_one_that_jaxtyping_reads() -> None:
    """`Float[Tensor, ...]` and `Float[Tensor, 2]` are none; a linter makes them of "..." and "2"."""
    wrong = [
        f"{name}:{node.lineno}"
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("Float", "Int", "Bool", "Complex", "Shaped", "Num")
        and isinstance(node.slice, ast.Tuple)
        and not isinstance(getattr(node.slice.elts[-1], "value", None), str)
    ]
    assert wrong == []
