"""Linear layers of an ONNX file in 8-bit integers, and what that costs in degrees."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from bastzoo.models.exporting.export import add_facts, check_packages

_SOUNDS = 10
_BATCH = 36


class QuantizationCost(BaseModel):
    """Mean AD (degrees) on the same clips before and after.

    test: which clips: of sounds that no model was trained on.
    """

    test: str
    clips: int
    ad_float32: float
    ad_int8: float


def quantize_onnx(path: Path, into: Path) -> QuantizationCost | None:
    """Write a file of `export_onnx` with its linear layers in 8-bit integers, the rest as it is.

    Weights are quantized by output channel, activations as they come (dynamic quantization, as
    onnxruntime does it). What it costs is measured on `RI` with KEMAR's ears, returned, and written
    into the metadata (`bastzoo.int8`) beside what stands there. None for a model that takes features or
    answers no single direction: there is nothing to measure.

    Raises SetupError when onnx or onnxruntime is missing.
    """
    check_packages("onnx", "onnxruntime")
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(_no_advice)
    try:
        quantize_dynamic(
            path,
            into,
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    finally:
        logging.getLogger().removeFilter(_no_advice)
    if not _answers_a_direction(path):
        return None
    cost = _measured(path, into)
    proto = onnx.load(into)
    add_facts(proto, {"bastzoo.int8": cost.model_dump_json()})
    into.write_bytes(proto.SerializeToString())
    return cost


def _answers_a_direction(path: Path) -> bool:
    import onnx

    graph = onnx.load(path).graph
    takes, gives = [one.name for one in graph.input], [one.name for one in graph.output]
    return takes == ["clips"] and "direction" in gives


def _measured(plain: Path, quantized: Path) -> QuantizationCost:
    import onnxruntime

    from bastzoo.data.environments import ri
    from bastzoo.data.rendering.clips import RenderedData
    from bastzoo.metrics.localization import angular_distance, counted
    from bastzoo.presets import DataSize

    size = DataSize(train_sounds=1, validation_sounds=1, test_sounds=_SOUNDS)
    clips = RenderedData(environment=ri(), size=size).split("test")
    sessions = [
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for path in (plain, quantized)
    ]
    errors: list[list[np.ndarray]] = [[], []]
    for part in clips.in_order(_BATCH):
        for session, found in zip(sessions, errors, strict=True):
            (answers,) = session.run(["direction"], {"clips": part.inputs.numpy()})
            found.append(angular_distance(answers, part.targets["direction"].numpy()))
    before, after = (float(counted(np.concatenate(found)).mean()) for found in errors)
    test = f"RI, {_SOUNDS} sounds, KEMAR"
    return QuantizationCost(test=test, clips=len(clips), ad_float32=before, ad_int8=after)


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-process" not in record.getMessage()
