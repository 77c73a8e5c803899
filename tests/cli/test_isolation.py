"""Whatever is wrong with one plugin, `list` works, `plugins` says what, and `doctor` exits with 1."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import bastzoo, data
from tests.fake_distributions import Site, backbones_source

TROUBLES: dict[str, tuple[Callable[[Site], None], str]] = {
    "ImportError": (
        lambda site: site.install_module("bad-ears", "raise ImportError('no cochlea')"),
        "importing 'bad_ears' raised ImportError: no cochlea",
    ),
    "SystemExit": (
        lambda site: site.install_module("bad-ears", "raise SystemExit(3)"),
        "importing 'bad_ears' raised SystemExit: 3",
    ),
    "a syntax error": (
        lambda site: site.install_module("bad-ears", "def hook(:"),
        "importing 'bad_ears' raised SyntaxError",
    ),
    "seconds to import": (
        lambda site: site.install_module(
            "bad-ears", "import time\ntime.sleep(2.5)\n" + backbones_source("slow")
        ),
        "loaded, SLOW",
    ),
    "a record that lacks a field": (
        lambda site: site.install_module(
            "bad-ears",
            "from bastzoo import Component, hookimpl\n@hookimpl\n"
            "def bastzoo_losses(): return [Component(kind='loss', name='x', target='a:b')]",
        ),
        "missing 1 required positional argument: 'summary'",
    ),
    "two components of one name": (
        lambda site: [site.install_backbones(name, "twin") for name in ("bad-ears", "worse-ears")],
        "collision: Two plugins register the backbone 'twin'",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_plugin_in_trouble_hurts_nobody_else(trouble: str, tmp_path: Path) -> None:
    install, words = TROUBLES[trouble]
    site = Site(tmp_path)
    install(site)
    site.install_backbones("good-ears", "gru")
    only = {"BASTZOO_LOAD_PLUGINS": "bad-ears,worse-ears,good-ears"}
    if trouble != "two components of one name":
        only = {"BASTZOO_LOAD_PLUGINS": "bad-ears,good-ears"}
    listed = bastzoo("list", "backbone", site=site.path, **only)
    assert listed.returncode == 0
    assert {"mamba", "vanilla", "swin", "gru"} <= {
        line.split()[0] for line in listed.stdout.splitlines() if line.startswith("  ")
    }
    assert "Traceback" not in listed.stderr
    assert "bad-ears" in listed.stderr  # a warning names it
    shown = bastzoo("plugins", site=site.path, **only)
    assert shown.returncode == 0
    assert words in shown.stdout
    if trouble in ("SystemExit", "seconds to import", "two components of one name"):
        doctor = bastzoo("doctor", site=site.path, **only)
        assert doctor.returncode == 1
        assert "bad-ears" in doctor.stdout + doctor.stderr


def test_a_plugin_seen_twice_through_a_link_counts_once(tmp_path: Path) -> None:
    site = Site(tmp_path / "site-packages")
    site.install_backbones("good-ears", "gru")
    (tmp_path / "lib64").symlink_to(site.path)
    # Both on the path, as a virtual environment's lib and lib64 are.
    both = f"{site.path}:{tmp_path / 'lib64'}" if sys.platform != "win32" else str(site.path)
    shown = bastzoo("plugins", "--json", site=Path(both), BASTZOO_LOAD_PLUGINS="good-ears")
    mine = [p for p in data(shown)["plugins"] if p["distribution"] == "good-ears"]
    assert [p["status"] for p in mine] == ["loaded"]
    assert data(shown)["collisions"] == []
