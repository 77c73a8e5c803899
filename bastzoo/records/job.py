"""A job: one row of a grid, as data that any process or machine can take."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bastzoo.experiment import Experiment
from bastzoo.records.record import BaselineExperiment


class Job(BaseModel):
    """One experiment, of a model or of a baseline, and the tracks it is tested on.

    again: whether to run it although there is a record (a failed one, say) with its key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: Experiment | None = None
    baseline: BaselineExperiment | None = None
    tracks: tuple[str, ...] = ()
    again: bool = False

    @property
    def key(self) -> str:
        """The key of the run."""
        chosen = self.experiment or self.baseline
        assert chosen is not None
        return chosen.key

    def __str__(self) -> str:
        return str(self.experiment) if self.experiment else f"Baseline {self.baseline}"
