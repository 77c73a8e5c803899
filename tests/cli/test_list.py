"""`bastzoo list` names what there is, whatever is wrong with a plugin."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bastzoo.cli.terminal.output import table
from bastzoo.registry import KINDS
from bastzoo.zoo import (
    bastzoo_backbones,
    bastzoo_baselines,
    bastzoo_datasets,
    bastzoo_environments,
    bastzoo_executors,
    bastzoo_frontends,
    bastzoo_heads,
    bastzoo_integrations,
    bastzoo_losses,
    bastzoo_metrics,
    bastzoo_models,
    bastzoo_tracks,
)
from tests.cli.command import bastzoo, data
from tests.cli.troubled import BROKEN, install_troubles
from tests.fake_distributions import Site

BUILT_IN = [
    *bastzoo_backbones(),
    *bastzoo_integrations(),
    *bastzoo_losses(),
    *bastzoo_heads(),
    *bastzoo_frontends(),
    *bastzoo_environments(),
    *bastzoo_baselines(),
    *bastzoo_executors(),
    *bastzoo_datasets(),
    *bastzoo_metrics(),
    *bastzoo_models(),
    *bastzoo_tracks(),
]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = Site(tmp_path_factory.mktemp("site"))
    install_troubles(site)
    return site.path


@pytest.fixture(scope="module")
def listed() -> CompletedProcess[str]:
    return bastzoo("list")


def test_json_names_every_built_in_component() -> None:
    done = bastzoo("list", "--json")
    found = data(done)
    assert done.returncode == 0
    assert {(c["kind"], c["name"]) for c in found["components"]} == {
        (c.kind, c.name) for c in BUILT_IN
    }
    assert found["collisions"] == found["broken_plugins"] == []
    by_name = {c["name"]: c for c in found["components"]}
    assert by_name["MIX"]["target"] == "bastzoo.zoo.losses:Mix"
    assert by_name["MIX"]["needs"] == ["vector"]
    assert by_name["vanilla"]["blindness"].keys() == {"ADD+SP", "SUB+SP"}
    assert all({"available", "reason", "citation", "licence"} <= c.keys() for c in by_name.values())


def test_the_table_has_every_kind_name_and_summary(listed: CompletedProcess[str]) -> None:
    lines = listed.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == list(KINDS)
    for component in BUILT_IN:
        assert any(
            line.split(maxsplit=1) == [component.name, component.summary] for line in lines
        ), component.name
    assert listed.stderr == ""


@pytest.mark.parametrize("word", ["loss", "losses", "LOSS"])
def test_a_kind_can_be_said_in_the_plural(word: str) -> None:
    done = bastzoo("list", word)
    assert done.stdout.startswith("loss\n")
    assert "AD-EXACT" in done.stdout
    assert "mamba" not in done.stdout


def test_a_pattern_selects_names() -> None:
    found = data(bastzoo("list", "loss", "m*", "--json"))
    assert [c["name"] for c in found["components"]] == ["MSE", "MIX", "MIX-EXACT"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["backbon"], "Error: There is no kind named 'backbon'. Did you mean 'backbone'?"),
        (["loss", "mixx"], "Error: There is no loss named 'mixx'. Did you mean 'MIX'?"),
        (["backbone", "timm/*"], "Error: There is no backbone named 'timm/*'."),
    ],
)
def test_a_slip_gets_did_you_mean(args: list[str], sentence: str) -> None:
    done = bastzoo("list", *args)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr


def test_list_works_among_troubled_plugins(troubled: Path) -> None:
    done = bastzoo("list", site=troubled)
    assert done.returncode == 0
    assert "  mamba " in done.stdout
    assert "  tcn " in done.stdout
    assert "[from south]" in done.stdout
    assert "[from needy-ears; not available here; needs no_such_module" in done.stdout
    assert "  gru " not in done.stdout
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == len(BROKEN) + 1
    assert all(any(f"'{name}' of {name} 1.0" in line for line in warnings) for name in BROKEN)
    assert any("Two plugins register the backbone 'gru': north" in line for line in warnings)
    assert "Traceback" not in done.stderr


def test_json_is_whole_among_troubled_plugins(troubled: Path) -> None:
    done = bastzoo("list", "backbone", "--json", site=troubled)
    found = data(done)
    assert done.returncode == 0
    assert {p["distribution"] for p in found["broken_plugins"]} == set(BROKEN)
    (collision,) = found["collisions"]
    assert (collision["kind"], collision["name"]) == ("backbone", "gru")
    assert {side["distribution"] for side in collision["sides"]} == {"north", "south"}
    origin = {c["name"]: (c["distribution"], c["available"]) for c in found["components"]}
    assert origin["loud"] == ("loud-ears", True)
    assert origin["needy"] == ("needy-ears", False)


def test_a_contested_name_is_an_error(troubled: Path) -> None:
    done = bastzoo("list", "backbone", "gru", site=troubled)
    assert done.returncode == 1
    assert "north (nowhere:gru) and south (nowhere:gru)" in done.stderr


def test_on_a_narrow_terminal_sentences_go_on_below(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["a-name", "one", "words " * 20], ["b", "two", "few words"]]
    wide = list(table(rows))
    assert all("\n" not in row for row in wide)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    first, second = table(rows)
    assert max(map(len, first.splitlines())) <= 60
    assert first.split() == wide[0].split()
    assert all(line.startswith(" " * 15 + "words") for line in first.splitlines()[1:])
    assert second == wide[1]
