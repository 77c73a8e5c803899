"""One plugin cannot harm another, and nothing that is wrong with one is passed over in silence."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from bastzoo import discovery, plugins
from bastzoo.errors import ComponentError, PluginError
from bastzoo.plugins import PluginHost, PluginRecord, PluginWarning, load_plugins
from tests.fake_distributions import Site, backbones_source

GOOD = "good-ears"

# Source of a plugin -> what its error must say. Each is installed beside a good one.
BROKEN = {
    "import error": ("import no_such_module_anywhere", "ModuleNotFoundError.*no_such_module"),
    "exit": ("raise SystemExit(3)", "importing .* raised SystemExit: 3"),
    "base exception": ("class Panic(BaseException): pass\nraise Panic('rust')", "Panic: rust"),
    "syntax error": ("def hook(:", "SyntaxError"),
    "null byte": ("x = 1\0", "SyntaxError|ValueError"),
    "hook raises": (
        "from bastzoo import hookimpl\n@hookimpl\ndef bastzoo_losses(): return 1 / 0",
        r"bastzoo_losses\(\) raised ZeroDivisionError",
    ),
    "hook exits": (
        "from bastzoo import hookimpl\n@hookimpl\ndef bastzoo_losses(): raise SystemExit",
        r"bastzoo_losses\(\) raised SystemExit",
    ),
    "not a list": (
        "from bastzoo import hookimpl\n@hookimpl\ndef bastzoo_losses(): return {}",
        r"bastzoo_losses\(\) returned a dict; return a list",
    ),
    "not records": (
        "from bastzoo import hookimpl\n@hookimpl\ndef bastzoo_losses(): return ['MSE']",
        r"bastzoo_losses\(\) returned a list of str; return a list of Component",
    ),
    "missing field": (
        "from bastzoo import hookimpl, Component\n@hookimpl\n"
        "def bastzoo_losses(): return [Component(kind='loss', name='x', target='a:b')]",
        "TypeError: .*missing .*'summary'",
    ),
    "field of a wrong type": (
        "from bastzoo import hookimpl, Component\n@hookimpl\ndef bastzoo_losses(): "
        "return [Component(kind='loss', name='x', target='a:b', summary='x', requires='torch')]",
        "requires",  # the record's own check, or beartype's while the tests run
    ),
    "wrong kind": (
        "from bastzoo import hookimpl, Component\n@hookimpl\n"
        "def bastzoo_losses(): return [Component('head', 'x', 'a:b', 'x')]",
        r"bastzoo_losses\(\) returned the head 'x'.*for the kind 'loss'",
    ),
    "same name twice": (
        "from bastzoo import hookimpl, Component\n@hookimpl\ndef bastzoo_losses(): "
        "return [Component(kind='loss', name=n, target='a:b', summary='x') for n in 'xX']",
        "registers the loss 'X' twice",
    ),
    "unknown hook": (
        "from bastzoo import hookimpl\n@hookimpl\ndef bastzoo_backbone(): return []",
        "bastzoo_backbone, which is no hook.*bastzoo_backbones",
    ),
    "arguments": (
        "from bastzoo import hookimpl\n@hookimpl\ndef bastzoo_losses(sizes): return []",
        "registering it raised PluginValidationError",
    ),
    "nothing marked": ("def bastzoo_losses(): return []", "no function marked with @hookimpl"),
    "asks for the registry": (
        "from bastzoo import hookimpl, default_registry\n@hookimpl\n"
        "def bastzoo_losses(): return list(default_registry())",
        "the registry was asked for while it is being filled",
    ),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site directory at the front of `sys.path`; no plugins are loaded yet."""
    monkeypatch.delenv("BASTZOO_LOAD_PLUGINS", raising=False)
    monkeypatch.delenv("BASTZOO_STRICT_PLUGINS", raising=False)
    site = Site(tmp_path / "site")
    with site.active():
        _forget()
        yield site
    _forget()


def _forget() -> None:
    plugins.plugin_host.cache_clear()
    plugins._warn_once.cache_clear()


def record(host: PluginHost, name: str) -> PluginRecord:
    (found,) = [r for r in host.records if r.name == name]
    return found


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_reported_and_everything_else_works(site: Site, case: str) -> None:
    source, error = BROKEN[case]
    site.install_module("broken-ears", source, version="2.3")
    site.install_backbones(GOOD, "gru")

    host = load_plugins()

    broken = record(host, "broken-ears")
    assert (broken.distribution, broken.version) == ("broken-ears", "2.3")
    assert (broken.entry_point, broken.status, broken.ok) == ("broken_ears", "broken", False)
    assert re.search(error, broken.error), broken.error
    assert broken.components == ()
    assert [r.name for r in host.broken] == ["broken-ears"]
    assert record(host, GOOD).ok
    assert host.registry.get("backbone", "gru").distribution == GOOD
    assert host.registry.get("backbone", "mamba").distribution == "bastzoo"


def test_a_broken_plugin_shows_its_author_where(site: Site) -> None:
    site.install_module("broken-ears", "def fail():\n    raise OSError('lost')\n\nfail()")
    assert 'broken_ears.py", line 2, in fail' in record(load_plugins(), "broken-ears").traceback


def test_a_broken_plugin_registers_nothing_at_all(site: Site) -> None:
    site.install_module(
        "half-ears",
        backbones_source("half") + "\n@hookimpl\ndef bastzoo_losses(): return None\n",
    )
    host = load_plugins()
    assert "half" not in host.registry.names("backbone")
    assert not host.manager.has_plugin("half-ears:half-ears")


def test_an_interrupt_is_not_swallowed(site: Site) -> None:
    site.install_module("patient-ears", "import os, signal\nos.kill(os.getpid(), signal.SIGINT)")
    with pytest.raises(KeyboardInterrupt):
        load_plugins()
    site.install_backbones(GOOD, "gru")  # and the next attempt is not refused
    (site.path / "patient_ears.py").write_text("import bastzoo\n# now without\n" * 2)
    assert record(load_plugins(), GOOD).ok


@pytest.mark.parametrize(
    "source",
    [
        "raise KeyboardInterrupt",
        "class Odd(BaseException): pass\nraise Odd",
        "class Mute(Exception):\n    def __str__(self): raise SystemExit(3)\nraise Mute",
        "class Mute(Exception):\n    def __str__(self): return 7\nraise Mute",
        r"raise ValueError('\x1b[2J\u202e')",
        "raise GeneratorExit",
    ],
)
def test_whatever_a_plugin_raises_at_import_it_is_named_and_the_others_work(
    site: Site, source: str
) -> None:
    site.install_module("strange-ears", source)
    site.install_backbones(GOOD, "gru")
    host = load_plugins()
    assert record(host, GOOD).ok
    (problem,) = host.problems()
    assert "strange-ears" in problem
    assert problem.isprintable()


def test_the_built_in_zoo_is_a_plugin_like_any_other(site: Site) -> None:
    first = load_plugins().records[0]
    assert (first.distribution, first.entry_point, first.ok) == ("bastzoo", "bastzoo.zoo", True)
    assert {c.kind for c in first.components} == set(plugins.hookspecs.KIND_OF_HOOK.values())


def test_an_object_in_a_module_can_be_a_plugin(site: Site) -> None:
    source = """
        from bastzoo import Component, hookimpl

        class Ears:
            @hookimpl
            def bastzoo_heads(self):
                return (Component(kind="head", name="wide", target="a:b", summary="wide"),)

        ears = Ears()
    """
    site.install("object-ears", {"object_ears.py": source}, {"ears": "object_ears:ears"})
    assert load_plugins().registry.get("head", "WIDE").distribution == "object-ears"


def test_one_entry_point_name_in_two_distributions_loads_both(site: Site) -> None:
    for name in ("north", "south"):
        site.install(name, {f"{name}_.py": backbones_source(name)}, {"ears": f"{name}_"})
    host = load_plugins()
    assert {r.distribution for r in host.records if r.name == "ears"} == {"north", "south"}
    assert {"north", "south"} <= set(host.registry.names("backbone"))


def test_one_module_in_two_distributions_is_refused_the_second_time(site: Site) -> None:
    site.install("north", {"shared_ears.py": backbones_source("gru")}, {"ears": "shared_ears"})
    site.install("south", {}, {"ears": "shared_ears"})
    (broken,) = load_plugins().broken
    assert re.fullmatch(
        "'shared_ears' is already registered, by '(north|south):ears'", broken.error
    )


def test_a_distribution_found_through_a_symbolic_link_counts_once(
    site: Site, tmp_path: Path
) -> None:
    site.install_backbones(GOOD, "gru")
    (tmp_path / "lib64").symlink_to(site.path)
    with Site(tmp_path / "lib64").active():
        host = load_plugins()
    assert record(host, GOOD).ok
    assert not host.problems()


def test_a_hidden_copy_of_a_distribution_is_skipped_aloud(site: Site, tmp_path: Path) -> None:
    site.install_backbones(GOOD, "gru")
    other = Site(tmp_path / "user")
    other.install_module(GOOD, backbones_source("old"), version="0.1")
    sys.path.append(str(other.path))
    try:
        host = load_plugins()
    finally:
        sys.path.remove(str(other.path))
    seen = {r.version: r for r in host.records if r.distribution == GOOD}
    assert {v: r.status for v, r in seen.items()} == {"1.0": "loaded", "0.1": "skipped"}
    assert "comes before" in seen["0.1"].error
    assert "old" not in host.registry.names("backbone")


@pytest.mark.parametrize(
    ("metadata", "entry_points"),
    [
        (b"Name: odd\nVersion: 1\n", b"[bastzoo]\nno equals sign\n"),
        (b"Name: odd\nVersion: 1\n", b"[bastzoo]\nears = \xff\xfe\n"),
        (None, b"[bastzoo]\nears = not_there\n"),
    ],
)
def test_damaged_metadata_is_reported(
    site: Site, metadata: bytes | None, entry_points: bytes
) -> None:
    info = site.path / "odd-1.dist-info"
    info.mkdir()
    if metadata is not None:
        (info / "METADATA").write_bytes(metadata)
    (info / "entry_points.txt").write_bytes(entry_points)
    host = load_plugins()
    (broken,) = host.broken
    assert broken.distribution == "odd" or str(site.path) in broken.distribution
    assert host.registry.get("loss", "MSE")


def test_a_contested_name_is_an_error_that_names_both(site: Site) -> None:
    site.install_backbones("north", "gru", "north")
    site.install_backbones("south", "GRU", "south")
    host = load_plugins()
    with pytest.raises(
        ComponentError, match=r"Two plugins.*'(gru|GRU)'.*north.*and.*south|south.*and"
    ):
        host.registry.get("backbone", "Gru")
    assert {"north", "south"} <= set(host.registry.names("backbone"))
    assert not host.registry.match("backbone", "gru")
    assert len(host.collisions) == 1
    assert not host.broken


def test_no_plugin_replaces_a_built_in_component(site: Site) -> None:
    site.install_backbones("usurper", "Mamba")
    host = load_plugins()
    with pytest.raises(ComponentError, match=r"bastzoo \(bastzoo.zoo.*usurper \(nowhere:Mamba\)"):
        host.registry.get("backbone", "mamba")


def test_three_sides_of_a_collision_are_named(site: Site) -> None:
    for name in ("north", "south", "west"):
        site.install_backbones(name, "gru")
    (collision,) = load_plugins().collisions
    assert collision.sentence.startswith("3 plugins")
    assert all(name in collision.sentence for name in ("north", "south", "west"))


def test_a_slow_plugin_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "SLOW_SECONDS", 0.5)
    site.install_module("slow-ears", "import time\ntime.sleep(0.6)\n" + backbones_source("slow"))
    host = plugins.plugin_host()
    assert record(host, "slow-ears").slow
    assert record(host, "slow-ears").ok
    with pytest.warns(PluginWarning, match=r"'slow-ears' of slow-ears 1.0 takes 0\.\d s to load"):
        plugins.default_registry()


def test_the_first_use_of_the_registry_warns_once_of_each_problem(site: Site) -> None:
    site.install_module("broken-ears", "raise OSError('lost')")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        first = plugins.default_registry()
        second = plugins.default_registry()
    assert first is second
    (warning,) = seen
    assert warning.category is PluginWarning
    assert str(warning.message) == (
        "The plugin 'broken-ears' of broken-ears 1.0 is broken: "
        "importing 'broken_ears' raised OSError: lost."
    )
    assert plugins.plugin_report() == list(plugins.plugin_host().records)


def test_strict_mode_makes_a_broken_plugin_fatal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install_module("broken-ears", "raise OSError('lost')")
    monkeypatch.setenv("BASTZOO_STRICT_PLUGINS", "0")
    load_plugins()
    monkeypatch.setenv("BASTZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=r"'broken-ears' of broken-ears 1.0 is broken.*lost"):
        load_plugins()


def test_strict_mode_makes_a_collision_fatal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install_backbones("usurper", "mamba")
    monkeypatch.setenv("BASTZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=r"Two plugins.*usurper"):
        load_plugins()


@pytest.mark.parametrize(
    ("asked_for", "loaded"),
    [
        ("", set()),
        (",", set()),
        ("Good.Ears", {"gru"}),
        ("ears", {"tcn"}),
        (" other_ears , good-ears", {"gru", "tcn"}),
    ],
)
def test_only_the_plugins_asked_for_are_loaded(
    site: Site, monkeypatch: pytest.MonkeyPatch, asked_for: str, loaded: set[str]
) -> None:
    site.install_backbones(GOOD, "gru")
    site.install("other-ears", {"other_ears.py": backbones_source("tcn")}, {"ears": "other_ears"})
    built_in = {
        *("mamba", "vanilla", "swin", "conv"),
        *("mamba-stem", "vanilla-stem", "swin-stem"),
    }
    monkeypatch.setenv("BASTZOO_LOAD_PLUGINS", asked_for)
    host = load_plugins()
    assert set(host.registry.names("backbone")) == built_in | loaded
    assert all(r.ok for r in host.records)
    assert {r.status for r in host.records if not r.components} <= {"skipped"}


def test_asking_for_a_plugin_that_is_not_installed_is_reported(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASTZOO_LOAD_PLUGINS", "bastzoo,no-such-ears")
    (broken,) = load_plugins().broken
    assert broken.name == "no-such-ears"
    assert "BASTZOO_LOAD_PLUGINS names it" in broken.error


def test_what_a_plugin_prints_does_not_end_up_in_the_output(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install_module("loud-ears", "print('hello')\n" + backbones_source("loud"))
    load_plugins()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_importing_the_host_loads_no_plugin() -> None:
    code = "import sys, bastzoo.plugins; print('bastzoo.zoo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
