"""Promises of components that are modules: backbones, integrations, heads, frontends."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor, nn

from bastzoo.engine.weights import load_weights, weights_of
from bastzoo.testing.suite import ComponentSuite

SIZES: Mapping[str, Any] = {
    "dim": 96,
    "depth": 2,
    "heads": 4,
    "dim_head": 24,
    "mlp_dim": 192,
    "patch": (65, 16),
    "stride": (64, 15),
    "dropout": 0.0,
    "embed_dropout": 0.0,
}
"""What is offered to every component: the sizes of the preset `quick`."""

SEED = 20260
BUDGET_BATCH = 16
BUDGET_FACTOR = 3.0
_ROUNDS = 5
_MIB = 2**20

Inputs = tuple[Tensor, ...]


class ModuleSuite(ComponentSuite):
    """Promises of an `nn.Module`. A subclass says how it is built, called, and with what."""

    def build(self, **changes: Any) -> nn.Module:
        """Build what is under test, in training mode, from the seed."""
        raise NotImplementedError

    def inputs(self, batch: int = 3) -> Inputs:
        """Random inputs for a batch; the same every time for the same size."""
        raise NotImplementedError

    def outputs(self, module: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
        """Call the module, and name what it returns."""
        found: Any = module(*inputs)
        return dict(found) if isinstance(found, Mapping) else {"output": found}

    # --- Promises --------------------------------------------------------------------------------

    def test_it_runs_on_a_cpu(self) -> None:
        """It is built and runs on a CPU, without a GPU."""
        module = self.build()
        tensors = [*module.parameters(), *module.buffers()]
        tensors += self.outputs(module.eval(), self.inputs()).values()
        elsewhere = sorted({str(t.device) for t in tensors if t.device.type != "cpu"})
        assert not elsewhere, f"it puts tensors on {', '.join(elsewhere)} by itself"

    def test_clips_do_not_see_each_other(self) -> None:
        """In eval mode the answer to a clip does not depend on the others of its batch."""
        module = self.build().eval()
        inputs = self.inputs(4)
        with torch.no_grad():
            together = self.outputs(module, inputs)
            for clip in range(4):
                alone = self.outputs(module, tuple(x[clip : clip + 1] for x in inputs))
                for name, value in alone.items():
                    _same(f"{name} of clip {clip} alone", value, together[name][clip : clip + 1])

    def test_double_precision(self) -> None:
        """It runs in double precision, and answers in it."""
        module = self.build().double().eval()
        with torch.no_grad():
            found = self.outputs(module, tuple(x.double() for x in self.inputs()))
        for name, value in found.items():
            assert value.dtype == torch.float64, f"{name} is {value.dtype} for float64 inputs"
            assert value.isfinite().all(), f"{name} is not finite in double precision"

    def test_autocast(self) -> None:
        """Under autocast to bfloat16 it answers nearly the same."""
        module = self.build().eval()
        inputs = self.inputs()
        with torch.no_grad():
            full = self.outputs(module, inputs)
            with torch.autocast("cpu", torch.bfloat16):
                half = self.outputs(module, inputs)
        for name, value in half.items():
            assert value.isfinite().all(), f"{name} is not finite under autocast"
            spread = full[name].double().std().clamp(min=1e-6)
            off = (value.double() - full[name].double()).square().mean().sqrt() / spread
            assert off < 0.1, f"{name} is off by {off:.0%} of its spread under autocast"

    def test_gradients_reach_every_parameter(self) -> None:
        """A gradient that is finite and not zero reaches every parameter within three steps."""
        module = self.build().train()
        trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        if not trained:
            raise SkipTest("it has no parameters to train")
        optimizer = torch.optim.SGD(trained.values(), lr=1e-2)
        generator = torch.Generator().manual_seed(SEED)
        unreached = set(trained)
        # Not in one: a residual branch may begin with a factor of zero, behind which nothing moves yet.
        for _ in range(3):
            total = torch.zeros(())
            for value in self.outputs(module, self.inputs()).values():
                weights = torch.randn(value.shape, generator=generator)
                total = total + (weights * value.float()).mean()
            optimizer.zero_grad()
            total.backward()
            wild = [
                n for n, p in trained.items() if p.grad is not None and not p.grad.isfinite().all()
            ]
            assert not wild, f"the gradient of {_listed(wild)} is not finite"
            unreached -= {n for n, p in trained.items() if p.grad is not None and p.grad.any()}
            optimizer.step()
        left = [name for name in trained if name in unreached]
        assert not left, f"no gradient reaches {_listed(left)}"

    def test_deterministic_under_a_seed(self) -> None:
        """The same seed gives the same weights, and the same answer in training mode."""
        first, second = (self._trained_answer() for _ in range(2))
        for name, value in first.items():
            assert torch.equal(value, second[name]), f"{name} differs from one build to the next"

    def test_eval_mode_is_deterministic(self) -> None:
        """In eval mode the same input gives the same answer."""
        module = self.build(dropout=0.3, embed_dropout=0.3).eval()
        with torch.no_grad():
            first, second = (self.outputs(module, self.inputs()) for _ in range(2))
        for name, value in first.items():
            assert torch.equal(value, second[name]), f"{name} differs from one call to the next"

    def test_state_dict_round_trip(self) -> None:
        """Its weights can be saved and loaded into another build, which then answers the same."""
        module = self.build()
        self.outputs(module.train(), self.inputs())  # running statistics are part of the state
        other = self.build(seed=SEED + 1)
        load_weights(other, weights_of(module))
        with torch.no_grad():
            first, second = (self.outputs(m.eval(), self.inputs()) for m in (module, other))
        for name, value in first.items():
            assert torch.equal(value, second[name]), f"{name} differs after loading the weights"

    def test_export(self) -> None:
        """`torch.export` takes it, and the exported program answers the same."""
        module = self.build().eval()
        inputs = self.inputs()
        with torch.no_grad():
            program = torch.export.export(module, inputs)
            exported, here = (self.outputs(m, inputs) for m in (program.module(), module))
        for name, value in here.items():
            _same(f"{name} of the exported program", exported[name], value)

    def test_time_within_budget(self) -> None:
        """A training step of 16 clips takes at most three times the time that the record states."""
        budget = self.budget("ms")
        taken = self.milliseconds_of_a_step()
        assert taken <= BUDGET_FACTOR * budget, (
            f"a step of {BUDGET_BATCH} clips takes {taken:.1f} ms; stated are {budget:g} ms"
        )

    def test_memory_within_budget(self) -> None:
        """A training step of 16 clips keeps at most three times the memory that the record states."""
        budget = self.budget("mib")
        taken = self.mebibytes_of_a_step()
        assert taken <= BUDGET_FACTOR * budget, (
            f"a step of {BUDGET_BATCH} clips keeps {taken:.0f} MiB; stated are {budget:g} MiB"
        )

    # --- Measurements ----------------------------------------------------------------------------

    def milliseconds_of_a_step(self) -> float:
        """Processor time of a training step of 16 clips on one thread: the least of five.

        Not the clock's time: what else the machine does must not decide.
        """
        module, inputs = self.build().train(), self._step_inputs()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            seconds = []
            for _ in range(1 + _ROUNDS):
                started = time.process_time()
                self._step(module, inputs)
                seconds.append(time.process_time() - started)
        finally:
            torch.set_num_threads(threads)
        return 1e3 * min(seconds[1:])

    def mebibytes_of_a_step(self) -> float:
        """Weights, gradients, Adam's two moments, and what the backward pass of 16 clips keeps."""
        module = self.build().train()
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            outputs = self.outputs(module, self._step_inputs())
        for value in outputs.values():
            note(value)
        weights = sum(p.numel() * p.element_size() for p in module.parameters())
        return (sum(kept.values()) + 4 * weights) / _MIB

    # --- What they need --------------------------------------------------------------------------

    def _trained_answer(self) -> dict[str, Tensor]:
        module = self.build(dropout=0.3, embed_dropout=0.3)
        with seeded(SEED), torch.no_grad():
            found = self.outputs(module.train(), self.inputs())
        return {**found, **{f"the weight {n}": v for n, v in module.state_dict().items()}}

    def _step_inputs(self) -> Inputs:
        return tuple(x.requires_grad_(x.is_floating_point()) for x in self.inputs(BUDGET_BATCH))

    def _step(self, module: nn.Module, inputs: Inputs) -> None:
        total = torch.zeros(())
        for value in self.outputs(module, inputs).values():
            total = total + value.float().sum()
        total.backward()
        module.zero_grad()


@contextmanager
def seeded(seed: int = SEED) -> Iterator[None]:
    """Run with torch's generator at this seed, and leave it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def random(*shape: int, seed: int = SEED) -> Tensor:
    """Normal random numbers, the same for the same seed and shape."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _same(what: str, value: Tensor, expected: Tensor) -> None:
    assert value.shape == expected.shape, (
        f"{what} has the shape {tuple(value.shape)}, not {tuple(expected.shape)}"
    )
    if not torch.allclose(value.double(), expected.double(), rtol=1e-3, atol=1e-4, equal_nan=True):
        off = (value.double() - expected.double()).abs().max()
        raise AssertionError(f"{what} is off by {off:.2g}")


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
