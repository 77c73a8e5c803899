"""Components are found by name, refused with a sentence, and built from what they ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastzoo.errors import ComponentError, SetupError
from bastzoo.plugins import default_registry
from bastzoo.registry import KINDS, Availability, Component, Registry, accepted
from tests.fake_distributions import Site

TARGETS = """
    from bastzoo.registry import Availability

    def sized(*, dim, depth=2): return (dim, depth)
    def anything(**sizes): return sizes
    def nothing(): return "nothing"

    class Outer:
        class Inner:
            def __init__(self, *, dim=1): self.dim = dim

    def ready(): return Availability(True, "falls back to the CPU")
    def unready(): return Availability(False, "needs a CUDA kernel")
    def plain(): return 0
    def failing(): raise RuntimeError("no driver")
"""


def component(name: str = "gru", kind: str = "backbone", **fields: Any) -> Component:
    filled = {"target": "targets_of_tests:sized", "summary": "a summary", **fields}
    return Component(kind=kind, name=name, **filled)


@pytest.fixture(autouse=True)
def targets(tmp_path: Path) -> Iterator[None]:
    site = Site(tmp_path)
    site.install("targets", {"targets_of_tests.py": TARGETS, "broken_targets.py": "1 / 0"}, {})
    with site.active():
        yield


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "ear"}, "has the kind 'ear'.*use one of backbone, integration"),
        ({"name": ""}, "backbone is named ''; a name starts with a letter or a digit"),
        ({"name": "a b"}, "is named 'a b'"),
        ({"name": "-gru"}, "is named '-gru'"),
        ({"target": "module"}, "has the target 'module'; write it as"),
        ({"target": "module:"}, "has the target 'module:'"),
        ({"summary": " "}, "'gru' has no summary"),
    ],
)
def test_a_malformed_record_says_what_is_wrong(fields: dict[str, str], sentence: str) -> None:
    with pytest.raises(ComponentError, match=sentence):
        component(**fields)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+/-]{0,12}", fullmatch=True), st.sampled_from(KINDS))
def test_a_name_is_found_whatever_its_case(name: str, kind: str) -> None:
    registry = Registry([component(name, kind)])
    for spelled in (name, name.lower(), name.upper()):
        assert registry.get(kind, spelled).name == name
    assert registry.names(kind) == [name]


def test_one_name_may_serve_several_kinds() -> None:
    registry = Registry([component("AD", "loss"), component("AD", "baseline")])
    assert len(registry) == 2
    assert registry.get("loss", "ad").kind == "loss"


def test_components_come_by_kind_in_the_order_of_registration() -> None:
    registry = Registry(
        [component("b", "loss"), component("z", "backbone"), component("a", "backbone")]
    )
    assert [(c.kind, c.name) for c in registry] == [
        ("backbone", "z"),
        ("backbone", "a"),
        ("loss", "b"),
    ]


def test_a_name_that_is_taken_names_both_sides() -> None:
    registry = Registry()
    registry.add(component("gru", target="north:Gru"), distribution="north")
    with pytest.raises(ComponentError, match=r"north \(north:Gru\) and south \(south:Gru\)"):
        registry.add(component("GRU", target="south:Gru"), distribution="south")
    assert registry.get("backbone", "gru").distribution == "north"


def test_a_withdrawn_name_is_refused_with_its_reason() -> None:
    registry = Registry([component("gru"), component("tcn")])
    registry.withdraw("backbone", "GRU", "It is contested.")
    with pytest.raises(ComponentError, match=r"^It is contested\.$"):
        registry.get("backbone", "gru")
    assert registry.names("backbone") == ["tcn"]
    assert [c.name for c in registry] == ["tcn"]


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        (
            "backbone",
            "mambo",
            "no backbone named 'mambo'. Did you mean 'Mamba'. Known: Mamba, swin.",
        ),
        ("backbone", "qqq", "no backbone named 'qqq'. Known: Mamba, swin."),
        ("loss", "MSE", "no loss named 'MSE'. Known: none."),
        ("backbones", "mamba", "no kind named 'backbones'. Did you mean 'backbone'"),
    ],
)
def test_an_unknown_name_gets_did_you_mean(kind: str, name: str, sentence: str) -> None:
    registry = Registry([component("Mamba"), component("swin")])
    with pytest.raises(ComponentError) as caught:
        registry.get(kind, name)
    assert sentence.replace("'Mamba'.", "'Mamba'?") in str(caught.value)


def test_wildcards_match_without_case() -> None:
    registry = Registry([component("timm/resnet18"), component("timm/ViT"), component("swin")])
    assert [c.name for c in registry.match("backbone", "TIMM/*")] == ["timm/resnet18", "timm/ViT"]
    assert registry.match("backbone", "timm/vi?")[0].name == "timm/ViT"
    assert registry.match("backbone", "nothing*") == []


def test_a_component_gets_what_its_signature_names() -> None:
    offered = {"dim": 8, "heads": 4}
    assert component().build(**offered) == (8, 2)
    assert component(target="targets_of_tests:nothing").build(**offered) == "nothing"
    assert component(target="targets_of_tests:Outer.Inner").build(**offered).dim == 8


def test_keywords_attract_nothing_but_the_parameters_of_the_record() -> None:
    greedy = component(target="targets_of_tests:anything", parameters={"depth": 7})
    assert greedy.build(dim=8) == {"depth": 7}


def test_parameters_of_the_record_win() -> None:
    assert component(parameters={"depth": 7, "dim": 1}).build(dim=8, depth=3) == (1, 7)


def test_an_argument_that_nobody_offers_is_named() -> None:
    with pytest.raises(ComponentError, match=r"'gru' cannot be built from \['depth'\]: .*'dim'"):
        component().build(depth=3)


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("no_such_module_anywhere:x", "No module named 'no_such_module_anywhere'"),
        ("targets_of_tests:absent", "no attribute 'absent'"),
    ],
)
def test_a_target_that_cannot_be_loaded_names_the_plugin(target: str, what: str) -> None:
    with pytest.raises(ComponentError, match=f"'gru' of north cannot be loaded.*{what}"):
        component(target=target, distribution="north").load()


def test_registering_imports_nothing() -> None:
    Registry([component(target="broken_targets:x", requires=("broken_targets",))])
    assert "broken_targets" not in sys.modules
    assert component(requires=("broken_targets",)).availability() == Availability(True)
    assert "broken_targets" not in sys.modules


@pytest.mark.parametrize(
    ("fields", "ok", "reason"),
    [
        ({}, True, ""),
        ({"requires": ("sys", "json")}, True, ""),
        (
            {"requires": ("sys", "absent_a", "absent_b.c")},
            False,
            "needs absent_a, absent_b.c: pip install absent_a absent_b.c",
        ),
        ({"probe": "targets_of_tests:ready"}, True, "falls back to the CPU"),
        ({"probe": "targets_of_tests:unready"}, False, "needs a CUDA kernel"),
        ({"probe": "targets_of_tests:plain"}, False, ""),
        (
            {"probe": "targets_of_tests:failing"},
            False,
            "its probe 'targets_of_tests:failing' failed: no driver",
        ),
        (
            {"probe": "targets_of_tests:absent"},
            False,
            "its probe 'targets_of_tests:absent' failed: module 'targets_of_tests' has no "
            "attribute 'absent'",
        ),
    ],
)
def test_availability_has_a_reason(fields: dict[str, Any], ok: bool, reason: str) -> None:
    assert component(**fields).availability() == Availability(ok, reason)


def test_what_cannot_run_here_is_not_built() -> None:
    with pytest.raises(SetupError, match="'gru' cannot run here: it needs a CUDA kernel"):
        component(probe="targets_of_tests:unready").build(dim=8)
    with pytest.raises(SetupError, match="'gru' cannot run here: it is not available"):
        component(probe="targets_of_tests:plain").build(dim=8)


def test_accepted_leaves_positional_only_arguments_alone() -> None:
    def target(a: int, /, b: int, *, c: int) -> None: ...

    assert accepted(target, {"a": 1, "b": 2, "c": 3, "d": 4}) == {"b": 2, "c": 3}


# --- Families ----------------------------------------------------------------------------------


def names_of_a_family() -> tuple[str, ...]:
    return ("small_net", "Large.net")


def broken_family() -> tuple[str, ...]:
    raise ZeroDivisionError("no names")


class Member:
    def __init__(self, *, member: str, dim: int) -> None:
        self.member, self.dim = member, dim


def family(**changes: object) -> Component:
    fields = {
        "kind": "backbone",
        "name": "nets/*",
        "target": f"{__name__}:Member",
        "summary": "nets of all sizes",
        "members": f"{__name__}:names_of_a_family",
        "parameters": {"dim": 4},
        **changes,
    }
    return Component(**fields)  # type: ignore[arg-type]


def test_a_member_of_a_family_is_found_and_built_by_its_name():
    registry = Registry([family()])
    found = registry.get("backbone", "NETS/large.NET")
    assert (found.name, found.members) == ("nets/Large.net", "")
    built = found.build(heads=3)
    assert (built.member, built.dim) == ("Large.net", 4)


def test_a_member_may_carry_a_tag():
    found = Registry([family()]).get("backbone", "nets/small_net.in1k")
    assert found.parameters["member"] == "small_net.in1k"


def test_a_family_is_one_component_until_a_pattern_names_it():
    registry = Registry([family()])
    assert registry.names("backbone") == []
    assert [c.name for c in registry.match("backbone", "*")] == ["nets/*"]
    members = ["nets/small_net", "nets/Large.net"]
    assert [c.name for c in registry.match("backbone", "nets/*")] == members
    assert [c.name for c in registry.match("backbone", "NETS/s*")] == members[:1]


@pytest.mark.parametrize("name", ["nets/smal_net", "nets/*", "nets"])
def test_what_is_no_member_is_unknown(name):
    with pytest.raises(ComponentError, match="There is no backbone named"):
        Registry([family()]).get("backbone", name)


def test_an_unknown_member_gets_did_you_mean():
    with pytest.raises(ComponentError, match="Did you mean 'nets/small_net'"):
        Registry([family()]).get("backbone", "nets/smal_net")


def test_a_family_that_cannot_be_listed_is_a_sentence():
    registry = Registry([family(members=f"{__name__}:broken_family")])
    with pytest.raises(ComponentError, match=r"'nets/\*' cannot be listed: ZeroDivisionError"):
        registry.get("backbone", "nets/small_net")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "nets"}, "has members; a family's name ends in '/\\*'"),
        ({"members": ""}, "a name starts with a letter"),
        ({"budget": {"seconds": 1}}, "a budget of seconds; state ms and mib"),
    ],
)
def test_a_malformed_family_is_refused(changes, message):
    with pytest.raises(ComponentError, match=message):
        family(**changes)


def leaves() -> None:
    print("noise")  # noqa: T201
    raise SystemExit("goodbye")


def test_a_probe_that_ends_the_program_or_prints_is_a_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    component = Component("loss", "x", "a:b", "x", probe=f"{__name__}:leaves")
    available = component.availability()
    assert not available.ok
    assert "SystemExit: goodbye" in available.reason
    assert capsys.readouterr().out == ""


def test_an_alias_is_understood_and_never_hides_a_name() -> None:
    registry = default_registry()
    for kind, alias, name in (
        ("backbone", "vit", "vanilla"),
        ("backbone", "BAST-Mamba", "mamba"),
        ("integration", "Sub.", "SUB"),
        ("loss", "Hybrid", "MIX"),
    ):
        assert registry.get(kind, alias).name == name
        assert alias not in registry.names(kind)
    own = Registry()
    own.add(component("first", aliases=("second", "both")))
    own.add(component("second", aliases=("both",)))
    assert own.get("backbone", "second").name == "second"
    assert own.get("backbone", "both").name == "first"
