"""A model as one folder that can be copied, shared and loaded: weights, what they are, and a card.

`model.safetensors`, `model.json` (`ModelRecord`) and `README.md`. Nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor

from bastzoo.errors import BastzooError, ComponentError, DataError, RecordError, tellable
from bastzoo.limits.writing import new_folder
from bastzoo.models.building import build_model
from bastzoo.models.sharing.record import MODEL_SCHEMA, ModelRecord, WeightsFile
from bastzoo.registry import MODEL_KINDS

if TYPE_CHECKING:
    from bastzoo.model import BinauralLocalizer
    from bastzoo.registry import Registry

MODEL_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"

_MOST_JSON = 4 * 2**20
_TOLD = 3


def write_package(
    folder: Path, model: BinauralLocalizer, record: ModelRecord, *, half: bool = False
) -> ModelRecord:
    """Write a model into a new folder; return its record, which names the weights' checksum.

    half: whether the weights are kept in half precision: half the size, three digits each.
    Raises SetupError when the folder is there already, or cannot be written.
    """
    import shutil

    from bastzoo.engine.weights import weights_of
    from bastzoo.errors import SetupError
    from bastzoo.models.sharing.card import card
    from bastzoo.records.store import in_sentences

    folder = folder.absolute()
    if folder.exists():
        raise SetupError(f"{str(folder)!r} is there already; choose another folder, or remove it.")
    weights = weights_of(model)
    if half:
        weights = _halved(weights)
    record = record.model_copy(
        update={
            "parameters": sum(p.numel() for p in model.parameters()),
            "weights": WeightsFile(
                file=WEIGHTS_FILE,
                bytes=len(weights),
                sha256=hashlib.sha256(weights).hexdigest(),
                precision="float16" if half else "float32",
            ),
        }
    )
    with in_sentences(folder.parent):
        aside = new_folder(folder.parent, folder.name)
        try:
            (aside / WEIGHTS_FILE).write_bytes(weights)
            (aside / MODEL_FILE).write_text(
                record.model_dump_json(indent=1) + "\n", encoding="utf-8"
            )
            (aside / CARD_FILE).write_text(card(record), encoding="utf-8")
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return record


def read_package(folder: Path, registry: Registry) -> tuple[BinauralLocalizer, ModelRecord]:
    """Build the model of a folder and give it its weights, on the CPU, in single precision.

    Raises RecordError for a `model.json` that is damaged or says what cannot be, ComponentError for a
    component that is not installed (with the package that has it), DataError for weights that do not fit.
    """
    record = read_model_record(folder / MODEL_FILE)
    if record.weights is None:
        raise RecordError(f"The model {str(folder)!r} names no file of weights.")
    path = folder / record.weights.file
    data = read_weights(path)
    if len(data) != record.weights.bytes:
        raise DataError(
            f"The weights {str(path)!r} have {len(data):,} bytes, and {MODEL_FILE} says "
            f"{record.weights.bytes:,}: the file was cut short or exchanged; fetch the model again."
        )
    if hashlib.sha256(data).hexdigest() != record.weights.sha256:
        raise DataError(
            f"The weights {str(path)!r} are not those that {MODEL_FILE} names (SHA-256 differs); fetch the "
            "model again."
        )
    return load_into(record, data, registry, what=str(path)), record


def load_into(
    record: ModelRecord, data: bytes, registry: Registry, *, what: str
) -> BinauralLocalizer:
    """The model of a record with the weights of a safetensors file.

    It is built without memory first: a record that lies about sizes must not fill it. Raises DataError,
    naming weights and shapes, when the file does not fit; ComponentError for a component that is not
    installed, or in another version.
    """
    for kind in MODEL_KINDS:
        _check_installed(kind, record, registry)
    try:
        found: dict[str, Tensor] = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise DataError(
            f"The weights {what!r} are no safetensors file, or it was cut short ({tellable(str(error))})."
        ) from error
    numbers = sum(value.numel() for value in found.values())
    if record.size.depth > len(found) or record.size.dim > numbers:
        raise DataError(
            f"The weights {what!r} are not those of the model: it has a width of {record.size.dim:,} and a "
            f"depth of {record.size.depth}, and the file {len(found)} tensors of {numbers:,} numbers."
        )
    try:
        with torch.device("meta"):
            model = _build(record, registry)
    except BastzooError:
        raise
    except Exception as error:  # sizes that a component refuses, or that no tensor can have
        raise RecordError(
            f"{MODEL_FILE} beside {what!r} makes no model: {type(error).__name__}: {tellable(str(error))}."
        ) from error
    expected = model.state_dict()
    # A tensor that has several names is in the file once.
    state = {name: found[name] for name in expected if name in found}
    tied = [name for name in expected if name not in found]
    check_weights(
        {n: v for n, v in expected.items() if n not in tied or not _is_tied(n, model, state)},
        found,
        what=what,
    )
    state = {name: value.to(expected[name].dtype) for name, value in state.items()}
    model.load_state_dict(state, strict=False, assign=True)
    if _has_no_memory(model):  # tied weights, and what is computed and not kept in files
        model = _build(record, registry)
        for name, value in model.state_dict().items():
            if name in state:
                value.copy_(state[name])
    for parameter in model.parameters():
        parameter.requires_grad_(True)  # as that of a model that was built
    return model.eval()


def check_weights(expected: dict[str, Any], found: dict[str, Tensor], *, what: str) -> None:
    """Raise DataError, with names and shapes, for weights that a model has not or that it lacks."""
    faults = [
        f"lacks {name} {list(value.shape)}" for name, value in expected.items() if name not in found
    ]
    faults += [
        f"has {tellable(name, 80)}, which the model has not"
        for name in found
        if name not in expected
    ]
    faults += [
        f"has {name} {list(found[name].shape)} instead of {list(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    if faults:
        more = f", and {len(faults) - _TOLD} more such faults" if len(faults) > _TOLD else ""
        raise DataError(
            f"The weights {what!r} are not those of the model: the file {'; it '.join(faults[:_TOLD])}{more}."
        )


def read_model_record(path: Path) -> ModelRecord:
    """Read a `model.json`. Raises RecordError, naming the file and the field, when it is not one."""
    text = _bytes_of(path, _MOST_JSON, RecordError)
    try:
        record = ModelRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        version = _version_of(text)
        if version is not None and version > MODEL_SCHEMA:
            raise RecordError(
                f"{str(path)!r} was written by a newer bastzoo (schema {version}, this one reads up to "
                f"{MODEL_SCHEMA}); update bastzoo to use it."
            ) from error
        raise RecordError(
            f"{str(path)!r} is no record of a model: {where}: {tellable(first['msg'])}."
        ) from error
    if faults := record.faults():
        raise RecordError(f"{str(path)!r} cannot be: {', '.join(faults)}.")
    return record


def read_weights(path: Path) -> bytes:
    """The bytes of a file of weights. Raises DataError when it cannot be read."""
    return _bytes_of(path, 8 * 2**30, DataError)


def _build(record: ModelRecord, registry: Registry) -> BinauralLocalizer:
    return build_model(
        registry,
        record.components,
        sharing=record.sharing,
        size=record.size.model_dump(),
        samples=record.clip_samples,
    )


def _check_installed(kind: str, record: ModelRecord, registry: Registry) -> None:
    """Refuse a component that is not here, or that has changed: its weights would mean something else."""
    component = record.components[kind]
    try:
        registered = registry.get(kind, component.name)
    except ComponentError as error:
        package = component.distribution
        named = f" It comes from the package {package!r}: pip install {package}." if package else ""
        raise ComponentError(
            f"The model {record.name!r} has the {kind} {component.name!r}, which is not installed.{named}"
        ) from error
    if registered.version != component.version:
        raise ComponentError(
            f"The model {record.name!r} has version {component.version} of the {kind} "
            f"{component.name!r}, and version {registered.version} is installed; install "
            f"{component.distribution or 'its package'} {component.distribution_version}."
        )


def _has_no_memory(model: BinauralLocalizer) -> bool:
    """Whether a tensor anywhere in the model was built without memory and got none since."""
    tensors = [*model.parameters(), *model.buffers()]
    for module in model.modules():
        tensors += [value for value in vars(module).values() if isinstance(value, Tensor)]
    return any(tensor.is_meta for tensor in tensors)


def _is_tied(name: str, model: BinauralLocalizer, found: dict[str, Tensor]) -> bool:
    """Whether a tensor is the same as one that the file has under another name."""
    tensors: dict[str, Tensor] = {}
    tensors |= dict(model.named_parameters(remove_duplicate=False))
    tensors |= dict(model.named_buffers(remove_duplicate=False))
    mine = tensors.get(name)
    return mine is not None and any(tensors.get(other) is mine for other in found)


def _halved(weights: bytes) -> bytes:
    state = safetensors.torch.load(weights)
    return safetensors.torch.save(
        {n: v.half() if v.dtype == torch.float32 else v for n, v in state.items()}
    )


def _bytes_of(path: Path, largest: int, error_class: type[BastzooError]) -> bytes:
    """A regular file's bytes, no more than `largest`."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise error_class(f"{str(path)!r} is no regular file.")
        if found.st_size > largest:
            size = math.ceil(found.st_size / 2**20)
            raise error_class(f"{str(path)!r} is too large ({size:,} MiB).")
        return path.read_bytes()
    except OSError as error:
        raise error_class(
            f"The file {str(path)!r} cannot be read: {error.strerror or error}."
        ) from error


def _version_of(text: bytes) -> int | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    version = values.get("schema_version") if isinstance(values, dict) else None
    return version if isinstance(version, int) else None
