"""Models for other runtimes: ONNX, and torch's own exported programs. The frontend is part of the file."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bastzoo.errors import ComponentError, SetupError
from bastzoo.ops.selective_scan.doubling import selective_scan
from bastzoo.ops.selective_scan.library import scan
from bastzoo.registry import MODEL_KINDS

if TYPE_CHECKING:
    from bastzoo.models.localizer import Localizer

OPSET = 20
"""Of ONNX's operators: the first with the discrete Fourier transform of any axis and GELU."""

ANSWERS = ("direction", "radii", "class", "directions", "classes", "present")
"""What a head decodes and an exported model answers beside the head's own outputs."""

_EXAMPLES = 7
"""Clips that are traced: no other size of a model is likely to be the same, and be taken for it."""


class Exported(nn.Module):
    """Clips `[B, 2, N]` in; a tuple out: what the head decodes (`ANSWERS`), then its outputs."""

    def __init__(self, localizer: Localizer) -> None:
        super().__init__()
        self.model = localizer.model
        self.names = tuple(self._answers(example_inputs(localizer)))

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the answers in the order of `names`."""
        return tuple(self._answers(inputs).values())

    def _answers(self, inputs: Tensor) -> dict[str, Tensor]:
        head: Any = self.model.head
        outputs = self.model(inputs)
        decoded = head.decode(outputs)
        answered = {name: decoded[name] for name in ANSWERS if name in decoded}
        return {**answered, **outputs}


def example_inputs(localizer: Localizer) -> Tensor:
    """Inputs of the shape that a model takes: clips, or features for one without a frontend of its own."""
    generator = torch.Generator().manual_seed(0)
    shape = localizer.record.components["frontend"].parameters.get("shape")
    each = (2, *shape) if shape is not None else (2, localizer.record.clip_samples)
    return 0.1 * torch.randn(_EXAMPLES, *each, generator=generator)


def exported_program(localizer: Localizer) -> tuple[Any, tuple[str, ...]]:
    """A `torch.export.ExportedProgram` of any batch, in standard operators, and the names of its outputs.

    Raises ComponentError, naming the components, when torch cannot trace one of them.
    """
    model = Exported(localizer).eval()
    batch = torch.export.Dim("batch", min=1)
    traced = _in_a_sentence(localizer, "torch cannot trace it")
    with traced, torch.no_grad(), _quietly():
        program = torch.export.export(
            model, (example_inputs(localizer),), dynamic_shapes=({0: batch},), strict=False
        )
        table = torch.export.default_decompositions()
        table[scan] = _standard_scan
        table[torch.ops.aten.hypot.default] = _standard_hypot
        program = program.run_decompositions(table)
    return program, model.names


def export_torch(localizer: Localizer, path: Path) -> tuple[str, ...]:
    """Write a program that `torch.export.load(path).module()` runs; return the names of its outputs."""
    program, names = exported_program(localizer)
    with _quietly():
        torch.export.save(program, path, extra_files={"bastzoo.json": _described(localizer, names)})
    return names


def export_onnx(localizer: Localizer, path: Path) -> tuple[str, ...]:
    """Write an ONNX file of opset `OPSET` with a free batch; return the names of its outputs.

    Raises SetupError when a package that it takes is missing, ComponentError as `exported_program` does.
    """
    check_packages("onnx", "onnxscript")
    program, names = exported_program(localizer)
    taken = "clips" if localizer.record.components["frontend"].name != "precomputed" else "features"
    with _quietly(), _in_a_sentence(localizer, "ONNX has no operators for it"):
        made: Any = torch.onnx.export(
            program,
            input_names=[taken],
            output_names=list(names),
            opset_version=OPSET,
            verbose=False,
        )
        proto = made.model_proto
    add_facts(proto, _facts(localizer))
    path.write_bytes(proto.SerializeToString())
    return names


def add_facts(proto: Any, facts: Mapping[str, str]) -> None:
    """Write facts into an ONNX model's metadata."""
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=value)


def check_packages(*names: str) -> None:
    """Raise SetupError when a package is not installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"Exporting to ONNX takes {' and '.join(missing)}: pip install 'bastzoo[export]'."
        )


def _standard_scan(u: Tensor, *inputs: Any) -> tuple[Tensor, Tensor]:
    """The operator's two results; what its backward pass would begin from is not needed."""
    return selective_scan(u, *inputs), u.new_zeros(())


def _standard_hypot(a: Tensor, b: Tensor) -> Tensor:
    """`sqrt(a² + b²)` whose squares neither vanish nor overflow."""
    longer, shorter = torch.maximum(a.abs(), b.abs()), torch.minimum(a.abs(), b.abs())
    ratio = shorter / torch.where(longer > 0, longer, 1.0)
    return longer * torch.sqrt(1 + ratio * ratio)


def _facts(localizer: Localizer) -> dict[str, str]:
    record = localizer.record
    parts = {kind: record.components[kind].name for kind in MODEL_KINDS}
    return {
        "bastzoo.model": record.name,
        "bastzoo.components": json.dumps(parts),
        "bastzoo.sample_rate": str(record.sample_rate),
        "bastzoo.clip_samples": str(record.clip_samples),
        "bastzoo.azimuth": f"{record.azimuth}, x front, y left, z up",
        "bastzoo.classes": json.dumps(record.classes),
        "bastzoo.licence": record.licence,
    }


def _described(localizer: Localizer, names: Sequence[str]) -> str:
    return json.dumps({**_facts(localizer), "outputs": list(names)})


@contextmanager
def _in_a_sentence(localizer: Localizer, why: str) -> Iterator[None]:
    """Whatever a third party's module does that cannot be exported is a sentence, with its components."""
    try:
        yield
    except Exception as error:
        names = ", ".join(f"{k} {localizer.record.components[k].name!r}" for k in MODEL_KINDS)
        cause = error.__cause__ or error
        told = str(cause).strip().splitlines() or [""]
        raise ComponentError(
            f"The model {localizer.name!r} cannot be exported: {why} ({names}): "
            f"{type(cause).__name__}: {told[0]}"
        ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """torch's exporters tell their own developers about every step."""
    levels = {
        name: logging.getLogger(name).level for name in ("torch.onnx", "torch.export", "onnxscript")
    }
    try:
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
