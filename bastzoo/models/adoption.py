"""A model that comes from elsewhere as a run of this folder: so it can be tested, ranked and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bastzoo.errors import RecordError

if TYPE_CHECKING:
    from bastzoo.models.localizer import Localizer
    from bastzoo.records.store import RunStore


def adopt(localizer: Localizer, store: RunStore) -> Path:
    """The folder of the run that a model is the result of; written first where there is none.

    A run of the same experiment that is there already is left as it is, and is the answer. Raises
    RecordError for a model that does not say what it is the result of, SetupError when the folder cannot
    be written.
    """
    import torch

    from bastzoo.engine.weights import weights_of
    from bastzoo.records.provenance import provenance
    from bastzoo.records.record import RunRecord
    from bastzoo.records.store import WEIGHTS_FILE

    experiment = localizer.record.experiment
    if experiment is None:
        raise RecordError(
            f"The model {localizer.name!r} does not say what it is the result of (`experiment` in its "
            "model.json), so it can be asked (`bastzoo predict`) and not tested."
        )
    found = store.path(experiment.key)
    if found is not None:
        return found
    weights = localizer.record.weights
    record = RunRecord(
        key=experiment.key,
        experiment=experiment,
        status="finished",
        provenance=provenance(device=torch.device("cpu"), seconds=0.0),
        notes={"model": localizer.name, "sha256": weights.sha256 if weights else ""},
    )
    store.prepare()

    def fill(folder: Path) -> None:
        (folder / WEIGHTS_FILE).write_bytes(weights_of(localizer.model))

    return store.write(record, fill)
