"""Search for a recipe: trials of one combination, by any number of processes and machines.

A study is a folder, `OUT/tune/NAME-KEY/`, with optuna's own journal. Each trial is claimed like a run
(`bench.claims`) and keeps checkpoints like one, so a trial whose process died is gone on with by whoever
comes next. What is compared is the AD of the validation split; the test split is never heard.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import tomli_w
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from bastzoo.engine.checkpoint import Checkpoints, Interrupted
from bastzoo.engine.observer import Observer, Silent
from bastzoo.engine.training import train
from bastzoo.errors import ClaimLostError, SetupError, TrainingError
from bastzoo.experiment import Experiment
from bastzoo.harness.journal import Journal, damaged
from bastzoo.harness.workbench import Workbench
from bastzoo.presets import Preset, Recipe
from bastzoo.records.claims import Claim, Claims
from bastzoo.records.store import in_sentences, write_text

if TYPE_CHECKING:
    from bastzoo.harness.stopping import Stopping

FOLDER = "tune"
BEST_FILE = "best.toml"
_JOURNAL = "journal.log"

# Trials that finish before any is stopped for being worse than the median of the others, and share of
# a training that every trial gets: the warm-up makes early validations say little.
_FREE_TRIALS = 5
_FREE_VALIDATIONS = 2

# What optuna ends with when lines of JSON are not those of a journal.
_NO_JOURNAL = (LookupError, TypeError, ValueError, AttributeError, AssertionError)

_DIVERGED = "diverged"
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a trial. ad: validation AD of the best step, degrees; None without any."""

    number: int
    recipe: Recipe
    state: str
    ad: float | None


class PrunedError(Exception):
    """A trial is worse than others were by then."""


class Tuning:
    """A study of one combination under one preset.

    out: the folder of runs. Raises SetupError when the journal cannot be written or read.
    """

    def __init__(self, experiment: Experiment, *, workbench: Workbench, out: Path) -> None:
        self.experiment = experiment
        self._workbench = workbench
        words = str(experiment.combination).replace("/", "-")
        name = f"{words}-{experiment.environment}-{experiment.preset.name}-{experiment.key}"
        self.folder = out / FOLDER / name
        with in_sentences(out, "--runs"):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._claims = Claims(self.folder)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self._asking():
            self._study = self._open(name)

    def _open(self, name: str) -> optuna.Study:
        journal = self.folder / _JOURNAL
        try:
            study = optuna.create_study(
                storage=JournalStorage(Journal(journal, self._claims)),
                study_name=name,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=_FREE_TRIALS, n_warmup_steps=_FREE_VALIDATIONS
                ),
                load_if_exists=True,
            )
        except _NO_JOURNAL as error:  # lines of JSON that mean nothing to optuna
            raise damaged(journal, error) from error
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(_own_values(self.experiment.preset.recipe))
        return study

    def run(
        self,
        trials: int,
        *,
        observer: Callable[[int, Recipe], Observer] = lambda number, recipe: Silent(),
        ended: Callable[[Trial], None] = lambda trial: None,
        checkpoint_every: float = 20.0,
        stopping: Stopping | None = None,
    ) -> None:
        """Do trials until the study has as many, those of other processes included.

        The first is the preset's own recipe. observer: watches the training of a trial; ended: told
        what came of each. Raises Interrupted when a signal came; the same call goes on from there.
        """
        while True:
            trial, claim = self._next(trials)
            if trial is None:
                if not self._running():
                    self._forget()
                    return
                if stopping is not None and stopping.signal:
                    raise Interrupted(stopping.signal)
                time.sleep(_POLL)  # others are at the last ones; if one of them dies, go on with it
                continue
            assert claim is not None
            with claim, suppress(ClaimLostError):  # another process does this trial by now
                ended(self._try(trial, claim, observer, checkpoint_every, stopping))
                self._claims.clear(_claim_key(trial.number), claim)

    def best(self) -> Trial | None:
        """The best trial that was not pruned; None while there is none."""
        done = [t for t in self.trials() if t.state == "complete" and t.ad is not None]
        return min(done, key=lambda trial: (trial.ad, trial.number), default=None)

    def trials(self) -> list[Trial]:
        """All trials, by number."""
        found = self._study.get_trials(deepcopy=False)
        return [self._as_trial(trial) for trial in found if trial.state != TrialState.WAITING]

    def write_best(self, path: Path | None = None) -> Path:
        """Write the preset with the best recipe as a TOML file that `--preset` takes.

        Raises SetupError when no trial has come to its end, or the file cannot be written.
        """
        best, own = self.best(), self.trials()[0]
        if best is None:
            raise SetupError("No trial has come to its end, so there is no best recipe yet.")
        preset = self.experiment.preset
        before = f"; its own recipe: {own.ad:.2f}°" if own.ad is not None else ""
        summary = (
            f"{preset.name}, its recipe tuned for {self.experiment.combination} on "
            f"{self.experiment.environment}: validation AD {best.ad:.2f}° (trial {best.number + 1} "
            f"of {len(self.trials())}{before})."
        )
        tuned = preset.model_copy(update={"recipe": best.recipe, "summary": summary})
        path = path or self.folder / BEST_FILE
        write_text(path, _as_toml(tuned))
        return path

    def _next(self, trials: int) -> tuple[optuna.Trial | None, Claim | None]:
        """A trial to work on, claimed: one that a dead process left, or a new one."""
        with self._asking():
            known = self._study.get_trials(deepcopy=False)
            for frozen in known:
                if frozen.state == TrialState.RUNNING:
                    claim = self._claims.acquire(_claim_key(frozen.number))
                    if claim is not None:
                        # The only handle to a trial that another process began.
                        return optuna.Trial(self._study, frozen._trial_id), claim
            if sum(trial.state != TrialState.WAITING for trial in known) >= trials:
                return None, None
            trial = self._study.ask()
            claim = self._claims.acquire(_claim_key(trial.number))
            assert claim is not None  # nobody else knows of the trial yet
            return trial, claim

    def _forget(self) -> None:
        """Remove what a process left that was killed between telling of a trial and clearing its claim."""
        left = {key for key, holder, _ in self._claims.unfinished() if holder is None}
        for trial in self.trials():
            if (key := _claim_key(trial.number)) in left:
                self._claims.clear(key)

    def _running(self) -> bool:
        return bool(self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One process at a time: counting trials and beginning one must be one step."""
        with in_sentences(self.folder, "--runs"):
            while (claim := self._claims.acquire("asking")) is None:
                time.sleep(_POLL)
        with claim:
            yield

    def _try(
        self,
        trial: optuna.Trial,
        claim: Claim,
        observer: Callable[[int, Recipe], Observer],
        checkpoint_every: float,
        stopping: Stopping | None,
    ) -> Trial:
        """Train with the recipe of a trial and tell the study what came of it."""
        recipe = self._suggested(trial)
        watch = _Pruning(trial, recipe, observer(trial.number, recipe))
        workbench = self._workbench
        checkpoints = Checkpoints(
            self._claims.checkpoint(_claim_key(trial.number)),
            every=checkpoint_every,
            stop=lambda: stopping.signal if stopping else 0,
            check=claim.check,
        )
        data = workbench.data.of(self.experiment)
        model = workbench.session.build(self.experiment).to(workbench.session.device)
        try:
            result = train(
                model,
                workbench.session.loss(self.experiment, model),
                recipe=recipe,
                training=data.split("train"),
                validation=data.split("validation"),
                accelerator=workbench.session.accelerator,
                seed=self.experiment.seed,
                observer=watch,
                checkpoints=checkpoints,
            )
            claim.check()
        except PrunedError:
            claim.check()
            self._study.tell(trial.number, state=TrialState.PRUNED)
        except TrainingError:
            claim.check()
            trial.set_user_attr(_DIVERGED, True)
            self._study.tell(trial.number, state=TrialState.PRUNED)
        else:
            self._study.tell(trial.number, result.best_validation_ad)
        finally:
            watch.close()
        return self._as_trial(self._study.get_trials(deepcopy=False)[trial.number])

    def _suggested(self, trial: optuna.Trial) -> Recipe:
        """Ask the study for a recipe that hears as many clips as the preset's own."""
        own = self.experiment.preset.recipe
        values: dict[str, Any] = {}
        for name, (low, high, log) in _ranges(own).items():
            self._study.sampler = self._sampler(trial, name)
            values[name] = trial.suggest_float(name, low, high, log=log)
        self._study.sampler = self._sampler(trial, "batch")
        batches = sorted({max(1, own.batch // 2), own.batch, own.batch * 2})
        values["batch"] = trial.suggest_categorical("batch", batches)
        return _recipe(values, own)

    def _sampler(self, trial: optuna.Trial, name: str) -> optuna.samplers.BaseSampler:
        """A sampler for one value of one trial.

        What a trial tries depends on its number and on the trials before it, not on how often the
        search was stopped in between: not even between two values.
        """
        words = f"{self.experiment.seed} {trial.number} {name}"
        return optuna.samplers.TPESampler(seed=zlib.crc32(words.encode()), constant_liar=True)

    def _as_trial(self, frozen: FrozenTrial) -> Trial:
        state = _DIVERGED if frozen.user_attrs.get(_DIVERGED) else frozen.state.name.lower()
        reported = list(frozen.intermediate_values.values())
        ad = frozen.value if frozen.state == TrialState.COMPLETE else min(reported, default=None)
        recipe = self.experiment.preset.recipe
        return Trial(
            frozen.number, _recipe({**_own_values(recipe), **frozen.params}, recipe), state, ad
        )


class _Pruning:
    """Passes training's news on to the study, and stops a trial that is worse than others were."""

    def __init__(self, trial: optuna.Trial, recipe: Recipe, observer: Observer) -> None:
        self._trial, self._observer = trial, observer
        self._every = recipe.validate_every
        self.training_started = observer.training_started
        self.step = observer.step
        self.training_ended = observer.training_ended

    def validated(self, step: int, ad: float, best: bool) -> None:
        """Report a validation. Raises PrunedError when the trial is to stop."""
        self._observer.validated(step, ad, best)
        # Counted in validations: trials of another batch take another number of steps.
        reported = self._trial.study.get_trials(deepcopy=False)[self._trial.number]
        number = -(-step // self._every)  # the last may come early
        if number not in reported.intermediate_values:  # told before a stop, and trained again
            self._trial.report(ad, number)
        if self._trial.should_prune():
            raise PrunedError

    def close(self) -> None:
        """Close what the observer draws, if it draws."""
        close = getattr(self._observer, "close", None)
        if close is not None:
            close()


def _ranges(own: Recipe) -> dict[str, tuple[float, float, bool]]:
    """Where a search looks, around the preset's own recipe: lowest, highest, whether in octaves."""
    return {
        "learning_rate": (own.learning_rate / 10, own.learning_rate * 10, True),
        "weight_decay": (0.0, max(0.3, 3 * own.weight_decay), False),
        "warmup": (0.0, max(0.2, _warmup(own)), False),
        "clip_norm": (own.clip_norm / 10, own.clip_norm * 10, True),
    }


def _own_values(own: Recipe) -> dict[str, Any]:
    """The preset's own recipe as a trial."""
    return {
        "learning_rate": own.learning_rate,
        "weight_decay": own.weight_decay,
        "warmup": _warmup(own),
        "clip_norm": own.clip_norm,
        "batch": own.batch,
    }


def _warmup(own: Recipe) -> float:
    """The share of the steps in which the learning rate rises."""
    return min(1.0, own.warmup_steps / own.steps)


def _recipe(values: dict[str, Any], own: Recipe) -> Recipe:
    """The recipe that a trial's values mean: another batch hears as many clips in other steps."""
    longer = own.batch / values["batch"]
    steps = max(1, round(own.steps * longer))
    return own.model_copy(
        update={
            "learning_rate": values["learning_rate"],
            "weight_decay": values["weight_decay"],
            "clip_norm": values["clip_norm"],
            "batch": values["batch"],
            "steps": steps,
            "warmup_steps": round(values["warmup"] * steps),
            "validate_every": max(1, round(own.validate_every * longer)),
        }
    )


def _claim_key(number: int) -> str:
    return f"trial-{number}"


def _as_toml(preset: Preset) -> str:
    """A preset file. Its name is the file's own."""
    values = preset.model_dump(mode="json", exclude={"name"})
    if not values["parameters"]:
        del values["parameters"]
    return tomli_w.dumps(values)
