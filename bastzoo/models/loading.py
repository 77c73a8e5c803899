"""`load`: whatever can be loaded, as a `Localizer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bastzoo.errors import DataError, RecordError, unknown_name
from bastzoo.models.localizer import Localizer
from bastzoo.models.sharing.hub import PREFIX, pull
from bastzoo.models.sharing.package import MODEL_FILE, load_into, read_package, read_weights
from bastzoo.models.sharing.record import record_of_run

if TYPE_CHECKING:
    from bastzoo.records.store import RunStore
    from bastzoo.registry import Registry

DEFAULT = "default"
"""Name of the model that answers when none is named."""


def load_localizer(
    reference: str | Path, *, registry: Registry, out: str | Path = "runs", device: str = "cpu"
) -> Localizer:
    """Load a model by name, a run, a folder, or a file; see `bastzoo.load`."""
    if device != "cpu":
        from bastzoo.engine.devices import check_device

        check_device(device)
    found = _load(reference, registry, Path(out))
    if device not in ("cpu", "auto"):
        found.model.to(device)
    return found


def run_folder(reference: str, store: RunStore, registry: Registry) -> Path:
    """The folder of a run, or of what becomes one: a model by name, a package, a checkpoint of BAST.

    Raises a BastzooError for what is neither.
    """
    if store.matching(reference):
        return store.find(reference)
    from bastzoo.models.adoption import adopt

    return adopt(load_localizer(reference, registry=registry, out=store.folder), store)


def _load(reference: str | Path, registry: Registry, out: Path) -> Localizer:
    name = str(reference)
    if name.startswith(PREFIX):
        return Localizer(*read_package(pull(name), registry))
    if isinstance(reference, str):
        named = [c for c in registry.match("model", "*") if c.name.lower() == name.lower()]
        if named:
            model, record = read_package(Path(named[0].build()), registry)
            return Localizer(model, record.model_copy(update={"name": named[0].name}))
    path = Path(reference)
    if (path / MODEL_FILE).exists():
        return Localizer(*read_package(path, registry))
    if path.suffix in (".pkl", ".pt", ".pth") and path.exists():
        from bastzoo.models.bast.imported import read_bast

        return Localizer(*read_bast(path, registry))
    if path.name == "model.safetensors" and path.exists():
        return _load(path.parent, registry, out)
    if path.is_file():
        raise DataError(
            f"The file {name!r} is no model: give a folder with a {MODEL_FILE}, a run, or a checkpoint "
            "of BAST (.pkl)."
        )
    return _of_run(name, registry, out)


def _of_run(name: str, registry: Registry, out: Path) -> Localizer:
    from bastzoo.records.store import (
        RECORD_FILE,
        WEIGHTS_FILE,
        RunStore,
        read_record,
        read_track_records,
    )

    store = RunStore(out)
    try:
        folder = store.find(name)
    except RecordError as error:
        if store.matching(name):
            raise
        known = registry.names("model")
        raise RecordError(
            f"{unknown_name('model', name, known)} It is no run in {str(out)!r} and no folder with a "
            f"{MODEL_FILE} either."
        ) from error
    run = read_record(folder / RECORD_FILE)
    if run.experiment is None or run.status != "finished":
        what = "is a baseline, which has no weights" if run.experiment is None else "failed"
        raise RecordError(f"The run {folder.name!r} {what}; load another one.")
    tracks, _ = read_track_records(folder)
    command = run.provenance.command
    record = record_of_run(run, tracks, registry, name=folder.name, command=command)
    path = folder / WEIGHTS_FILE
    if not path.exists():
        raise RecordError(f"The run {folder.name!r} has no weights ({WEIGHTS_FILE} is missing).")
    return Localizer(load_into(record, read_weights(path), registry, what=str(path)), record)
