"""`bastzoo plugins` shows what is installed and what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bastzoo import __version__
from tests.cli.command import bastzoo, data
from tests.cli.troubled import BROKEN, install_troubles
from tests.fake_distributions import Site, backbones_source


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = Site(tmp_path_factory.mktemp("site"))
    install_troubles(site)
    return site.path


def test_the_built_in_zoo_is_listed() -> None:
    done = bastzoo("plugins")
    header, line = done.stdout.splitlines()[:2]
    assert header.split()[:3] == ["PLUGIN", "DISTRIBUTION", "VERSION"]
    assert line.split()[:5] == ["zoo", "bastzoo", __version__, "bastzoo.zoo", "loaded"]
    assert re.search(r"loaded +[0-9.]+ +\d+ backbone, ", line)
    assert (done.returncode, done.stderr) == (0, "")


def test_broken_plugins_are_shown_with_their_errors(troubled: Path) -> None:
    done = bastzoo("plugins", site=troubled)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    for name in BROKEN:
        (at,) = [i for i, line in enumerate(lines) if line.split()[0] == name]
        assert lines[at].split()[1:5] == [name, "1.0", name.replace("-", "_"), "BROKEN"]
        assert lines[at + 1].startswith("    ")
    assert "SystemExit: 3" in done.stdout
    assert "has a string as 'requires'" in done.stdout
    assert lines[-1].startswith("collision: Two plugins register the backbone 'gru'")
    assert "Traceback" not in done.stdout + done.stderr


def test_json_has_the_traceback(troubled: Path) -> None:
    found = data(bastzoo("plugins", "--json", site=troubled))
    by_name = {p["name"]: p for p in found["plugins"]}
    assert {name for name, p in by_name.items() if not p["ok"]} == set(BROKEN)
    assert "import no_such_module_anywhere" in by_name["import-ears"]["traceback"]
    assert by_name["south"]["components"] == [
        {"kind": "backbone", "name": "gru"},
        {"kind": "backbone", "name": "tcn"},
    ]
    assert len(found["collisions"]) == 1


def test_a_plugin_that_takes_seconds_to_import_is_called_slow(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.install_module("slow-ears", "import time\ntime.sleep(2.1)\n" + backbones_source("slow"))
    done = bastzoo("plugins", site=site.path, BASTZOO_LOAD_PLUGINS="slow-ears")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("slow-ears")]
    assert "loaded, SLOW" in line


def test_strict_mode_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.install_module("broken-ears", "raise OSError('lost')")
    done = bastzoo("plugins", site=site.path, BASTZOO_STRICT_PLUGINS="1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "Error: The plugin 'broken-ears' of broken-ears 1.0 is broken: "
        "importing 'broken_ears' raised OSError: lost.\n"
    )
