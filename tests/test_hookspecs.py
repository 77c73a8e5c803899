"""Every hook is documented, and what its documentation shows can be installed, listed and used."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bastzoo import hookspecs, plugins
from bastzoo.registry import KINDS, Component
from tests.fake_distributions import Site

DOCUMENT = Path(__file__).parents[1] / "docs" / "plugins.md"
BATCH, SAMPLES, DIM = 3, 1024, 8
DIRECTIONS = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 1, 0]]))


def sections() -> dict[str, str]:
    """Text below each heading of the third level."""
    parts = re.split(r"^### `(.+)`$", DOCUMENT.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def signature(hook: str) -> str:
    return f"{hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")


def example(text: str) -> dict[str, str]:
    """The files of the example in a text: each is a block of Python that begins with its path."""
    blocks = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(blocks)


def hooks_of_pluggy() -> set[str]:
    return {name for name, value in vars(hookspecs).items() if hasattr(value, "bastzoo_spec")}


def test_there_is_one_hook_a_kind() -> None:
    assert hooks_of_pluggy() == set(hookspecs.KIND_OF_HOOK)
    assert sorted(hookspecs.KIND_OF_HOOK.values()) == sorted(KINDS)


def test_the_document_has_each_hook_and_no_other() -> None:
    assert list(sections()) == [signature(hook) for hook in hookspecs.KIND_OF_HOOK]


@pytest.mark.parametrize("hook", hookspecs.KIND_OF_HOOK)
def test_docstring_and_document_hold_one_example(hook: str) -> None:
    docstring = inspect.getdoc(getattr(hookspecs, hook))
    documented = sections()[signature(hook)]
    assert docstring
    assert len(example(docstring)) == 2
    assert example(docstring) == example(documented)
    assert "Arguments:" in documented
    assert "Returns:" in documented


def check_backbone(component: Component) -> None:
    offered = {
        "dim": DIM,
        "depth": 1,
        "heads": 2,
        "mlp_dim": 8,
        "patch": (16, 16),
        "stride": (6, 6),
    }
    backbone = component.build(**offered, input_shape=(1, 20, 30), dropout=0.0)
    tokens = backbone.embed(torch.randn(BATCH, 1, 20, 30))
    assert backbone.dim == tokens.shape[-1] == DIM
    wide = torch.cat([tokens, tokens], dim=-1)
    assert backbone.encoder(DIM)(tokens).shape == tokens.shape
    assert backbone.encoder(2 * DIM)(wide).shape == wide.shape


def check_integration(component: Component) -> None:
    integration = component.build()
    left, right = torch.randn(2, BATCH, 5, DIM)
    assert integration(left, right).shape == (BATCH, 5, integration.width(DIM))


def check_loss(component: Component) -> None:
    outputs = {"logits": torch.zeros(BATCH, 4), "vector": DIRECTIONS[:, :2]}
    outputs["logits"][[0, 1, 2], [0, 1, 2]] = 5.0  # the sectors around 0°, 90° and 180°
    assert set(component.needs) <= set(outputs)
    targets = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0]])
    right = component.build()(outputs, {"direction": targets})
    wrong = component.build()(outputs, {"direction": -targets})
    assert right.shape == ()
    assert right < wrong


def check_head(component: Component) -> None:
    head = component.build(width=DIM)
    outputs = head(torch.randn(BATCH, DIM))
    assert set(outputs) == set(component.gives)
    direction = head.decode(outputs)["direction"]
    torch.testing.assert_close(direction.norm(dim=-1), torch.ones(BATCH))
    assert direction.shape == (BATCH, 3)


def check_frontend(component: Component) -> None:
    frontend = component.build()
    features = frontend(torch.randn(BATCH, 2, SAMPLES))
    assert features.shape == (BATCH, 2, *frontend.output_shape(SAMPLES))
    assert frontend(torch.zeros(1, 2, SAMPLES)).isfinite().all()


def check_environment(component: Component) -> None:
    environment = component.build()
    assert environment.name == component.name
    assert environment.rooms


def check_baseline(component: Component) -> None:
    baseline = component.build()
    noise = torch.randn(BATCH, 1, SAMPLES)
    clips = noise * torch.tensor([[1.0, 1.0], [2.0, 0.5], [0.5, 2.0]])[:, :, None]
    baseline.fit(clips, DIRECTIONS)
    torch.testing.assert_close(baseline.predict(clips), DIRECTIONS)


def check_executor(component: Component) -> None:
    class Here:
        def perform(self, job: str) -> str:
            return f"{job} done"

    executor = component.build(clock=lambda: SimpleNamespace(tm_hour=23), jobs=2)
    outcomes = executor.run(
        ["a", "b"], None, watch=lambda *_: None, stopping=SimpleNamespace(signal=0), here=Here()
    )
    assert list(outcomes) == ["a done", "b done"]


def check_dataset(component: Component) -> None:
    index = component.build()
    assert index.name == component.name
    assert list(index.members) == ["ann", "bob"]
    assert [file.path for file in index.files] == ["ann.sofa", "bob.sofa"]


def check_metric(component: Component) -> None:
    metric = component.build()
    arrays = {"directions": DIRECTIONS.numpy(), "targets": -DIRECTIONS.numpy()}
    assert metric.compute(arrays) == {"far_off": 1.0}


def check_track(component: Component) -> None:
    track = component.build()
    assert track.name == component.name
    assert [case.label for case in track.cases] == ["all of it", "100 ms", "100 ms, 10 dB"]


def check_model(component: Component) -> None:
    folder = component.build()
    assert (folder.parent.name, folder.name) == ("hall_ears", "hall")


CHECKS: dict[str, Callable[[Component], Any]] = {
    "backbone": check_backbone,
    "integration": check_integration,
    "loss": check_loss,
    "head": check_head,
    "frontend": check_frontend,
    "environment": check_environment,
    "baseline": check_baseline,
    "executor": check_executor,
    "dataset": check_dataset,
    "metric": check_metric,
    "track": check_track,
    "model": check_model,
}


@pytest.mark.parametrize("hook", hookspecs.KIND_OF_HOOK)
def test_the_example_of_a_hook_works_once_installed(
    hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = example(sections()[signature(hook)])
    package = next(iter(files)).partition("/")[0]
    site = Site(tmp_path)
    site.install(package, files, {package: package})
    monkeypatch.setenv("BASTZOO_LOAD_PLUGINS", package)
    monkeypatch.setenv("BASTZOO_STRICT_PLUGINS", "1")
    with site.active():
        host = plugins.load_plugins()
        (record,) = [r for r in host.records if r.distribution == package]
        (component,) = record.components
        assert component.kind == hookspecs.KIND_OF_HOOK[hook]
        CHECKS[component.kind](component)
