"""Every promise of every suite can be broken, and is then named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bastzoo.registry import Component
from bastzoo.testing import SUITES, suite_of
from bastzoo.testing.runner import Finding, finding, findings

MODULE = "tests.testing.faulty"
BLIND = {"ADD+SP": "left and right", "SUB+SP": "identical ears"}
OF_KIND = {
    "head": {"gives": ("vector",)},
    "loss": {"needs": ("vector",)},
    "backbone": {"budget": {"ms": 5, "mib": 3}},
}
OF_TARGET = {"Loose": {"terms": ("distance",), "needs": ("distance",)}}

BROKEN = [
    ("backbone", "WrongWidth", "test_shapes_follow_the_contract", "`dim` is"),
    ("backbone", "OneEncoder", "test_every_call_of_encoder_makes_a_new_one", "one module"),
    ("backbone", "Unused", "test_gradients_reach_every_parameter", "backbone.spare.weight"),
    ("backbone", "Noisy", "test_eval_mode_is_deterministic", "from one call to the next"),
    ("backbone", "Nosy", "test_clips_do_not_see_each_other", "alone is off"),
    ("backbone", "Single", "test_double_precision", "RuntimeError"),
    ("backbone", "Forgetful", "test_state_dict_round_trip", "after loading"),
    ("backbone", "Branching", "test_export", "data-dependent"),
    ("backbone", "Frozen", "test_a_gradient_step_helps", "the error went from"),
    ("backbone", "Slow", "test_time_within_budget", "stated are 5 ms"),
    ("backbone", "Greedy", "test_memory_within_budget", "stated are 3 MiB"),
    ("backbone", "Sighted", "test_declared_blindness_is_true", "not blind with ADD\\+SP"),
    ("integration", "NarrowConcat", "test_shapes_follow_the_contract", "width\\(16\\) is 16"),
    ("integration", "LeftOnly", "test_both_ears_count", "the right ear does not count"),
    ("head", "LongDirections", "test_decoded_directions_are_unit_vectors", "off by 1"),
    ("head", "Confident", "test_a_clip_without_an_answer_is_nan", "has a direction"),
    ("head", "OtherOutputs", "test_outputs_are_those_declared", "it gives .'arrow'."),
    ("head", "Loose", "test_its_loss_reaches_every_output", "reaches .*linear.weight"),
    ("head", "Loose", "test_its_answers_can_be_collected", "does not answer it"),
    ("head", "Shrinking", "test_radii_grow_with_their_probability", "not larger"),
    ("frontend", "WrongShape", "test_shapes_are_those_announced", "samples become"),
    ("frontend", "Overwriting", "test_clips_are_left_as_they_are", "writes into"),
    ("frontend", "SilentNan", "test_silence_is_finite", "silence are not finite"),
    ("frontend", "Loudness", "test_level_does_not_say_where", "standardise"),
    ("loss", "Climbing", "test_following_the_gradient_makes_it_smaller", "it went from"),
    ("loss", "PerClip", "test_it_is_one_finite_number", "the shape \\(1,\\)"),
    ("loss", "Endless", "test_gradients_are_finite", "vector is not finite"),
    ("loss", "Half", "test_low_precision", "bfloat16"),
    ("loss", "Dice", "test_it_is_deterministic", "once"),
    ("baseline", "LongAnswers", "test_answers_are_directions", "length 1"),
    ("baseline", "Wandering", "test_it_is_deterministic", "answers differ"),
    ("baseline", "Wandering", "test_batches_do_not_matter", "answers differ"),
    ("baseline", "Deaf", "test_silence_raises_nothing", "ZeroDivisionError: no energy"),
    ("environment", "renamed", "test_it_has_its_name_and_rooms", "calls itself 'RI01'"),
    ("executor", "Lazy", "test_every_job_is_performed_once", "outcomes"),
    ("metric", "wordless", "test_figures_have_words_and_definitions", "off has no words"),
    ("metric", "wordless", "test_figures_are_numbers", "computes on, which it does not define"),
    ("metric", "raw_mean", "test_no_clips_have_no_figures", "off of no clips is nan"),
    ("metric", "raw_mean", "test_answers_without_a_direction_raise_nothing", "off is nan"),
    ("metric", "first_of_all", "test_the_order_does_not_matter", "in another"),
    ("metric", "first_of_all", "test_arrays_are_left_as_they_are", "writes into directions"),
    ("dataset", "nameless", "test_it_has_its_name_and_members", "it has no member"),
    ("dataset", "nameless", "test_its_licence_and_source_are_told", "it has no licence"),
    ("dataset", "nameless", "test_every_file_can_be_checked", "an address and no checksum"),
    ("track", "twins", "test_it_has_its_name_and_version", "calls itself 'other'"),
    ("track", "twins", "test_its_cases_can_be_told_apart", "two cases have one label: a, a"),
    ("track", "twins", "test_it_asks_a_question", "no question"),
    ("track", "twins", "test_something_is_trained_for_it", "under no condition"),
    ("model", "nowhere", "test_it_can_be_loaded", "cannot be read"),
    ("model", "mute", "test_it_answers_directions", "noise has no direction"),
    ("model", "mute", "test_it_says_what_it_is", "what it was trained on"),
]


def record(kind: str, target: str, **changes: object) -> Component:
    fields = {
        "kind": kind,
        "name": target.lower(),
        "target": f"{MODULE}:{target}",
        "summary": "for tests",
        "citation": "none",
        "licence": "MIT",
        "blindness": BLIND if kind == "backbone" else {},
        **OF_KIND.get(kind, {}),
        **OF_TARGET.get(target, {}),
        **changes,
    }
    return Component(**fields)  # type: ignore[arg-type]


def found_of(component: Component, test: str) -> Finding:
    """What is found of one promise."""
    base = suite_of(component.kind)
    return finding(type(base.__name__, (base,), {"component": component})(), test)


@pytest.mark.parametrize(("kind", "target", "test", "reason"), BROKEN)
def test_a_broken_promise_is_named(kind: str, target: str, test: str, reason: str) -> None:
    found = found_of(record(kind, target), test)
    assert found.status == "fail", found
    assert re.search(reason, found.reason), found.reason


def test_an_honest_backbone_keeps_them_all() -> None:
    found = list(findings(record("backbone", "Honest", budget={"ms": 100, "mib": 50})))
    assert {f.promise: f.reason for f in found if f.status == "fail"} == {}
    assert {f.reason for f in found if f.status == "skipped"} == {
        "the record comes from no installed plugin"
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"citation": ""}, "no citation"),
        ({"licence": ""}, "no licence"),
        ({"summary": "x" * 200}, "200 letters"),
        ({"summary": "one\ntwo"}, "more than one line"),
        ({"version": 0}, "the version is 0"),
    ],
)
def test_a_record_that_lacks_something_is_named(changes: dict[str, object], reason: str) -> None:
    found = found_of(record("loss", "Half", **changes), "test_record_is_complete")
    assert found.status == "fail"
    assert reason in found.reason


def test_what_is_not_installed_is_named() -> None:
    component = record("loss", "Half", requires=("no_such_module",))
    found = found_of(component, "test_it_is_available_here")
    assert (found.status, found.reason) == (
        "fail",
        "it needs no_such_module: pip install no_such_module",
    )


def test_a_plugin_that_imports_torch_to_register_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "import torch\nfrom bastzoo import Component, hookimpl\n@hookimpl\n"
        "def bastzoo_losses(): return [Component('loss', 'x', 'a:b', 'x')]\n"
    )
    (tmp_path / "heavy_ears.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    base = suite_of("loss")
    suite = type(base.__name__, (base,), {"entry_point": "heavy_ears"})()
    found = finding(suite, "test_registering_imports_no_torch")
    assert found.status == "fail"
    assert "'heavy_ears' imports torch" in found.reason


def test_blindness_that_is_not_declared_is_said() -> None:
    found = found_of(record("backbone", "Honest", blindness={}), "test_declared_blindness_is_true")
    assert found.status == "skipped"
    assert "does not declare it" in found.reason


def test_without_a_budget_there_is_nothing_to_keep() -> None:
    found = found_of(record("backbone", "Honest", budget={}), "test_time_within_budget")
    assert (found.status, found.reason[:27]) == ("skipped", "the record states no budget")


NOT_BROKEN_HERE = {
    # Broken by records and plugins above.
    "test_record_is_complete",
    "test_registering_imports_no_torch",
    "test_it_is_available_here",
    # It takes a GPU, a clock, or a library at odds with itself to break these.
    "test_it_runs_on_a_cpu",
    "test_deterministic_under_a_seed",
    "test_autocast",
    "test_clips_can_be_rendered",
    "test_it_is_the_same_every_time",
}


@pytest.mark.parametrize("kind", SUITES)
def test_each_promise_of_a_kind_is_broken_by_something(kind: str) -> None:
    broken = {test for of_kind, _, test, _ in BROKEN if of_kind in (kind, "backbone", "frontend")}
    promised = {name for name, _ in suite_of(kind).promises()}
    assert promised <= broken | NOT_BROKEN_HERE
