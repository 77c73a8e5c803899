"""The Python API: what `import bastzoo as bz` offers by name.

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import ArrayLike

    from bastzoo.boards.frames import Runs
    from bastzoo.conditions import DataSource
    from bastzoo.metrics.localization import Metrics
    from bastzoo.model import BinauralLocalizer
    from bastzoo.models.localizer import Localizer
    from bastzoo.records.record import RunRecord
    from bastzoo.registry import Component

Names = str | Sequence[str]
"""One name, or several."""


def components(kind: str, pattern: str = "*") -> list[Component]:
    """The records of one kind whose name matches a shell wildcard, in the order of registration.

    A family (`timm/*`) is one record for `*`, and its members for a pattern that names it.
    Raises ComponentError for an unknown kind.

    >>> import bastzoo as bz
    >>> [component.name for component in bz.components("integration", "S*")]
    ['SUB']
    """
    from bastzoo.plugins import default_registry

    return default_registry().match(kind, pattern)


def load(
    model: str | Path = "default", *, runs: str | Path = "runs", device: str = "cpu"
) -> Localizer:
    """A model with weights, ready to be asked: `bz.load("default")("recording.wav").azimuth`.

    model: a name (`list_models(pretrained=True)`); the folder of a package (`bastzoo package`), or its
        `model.safetensors`; a run, by folder, key, or the beginning of either; a checkpoint of BAST (.pkl);
        `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION` of Hugging Face's hub.
    runs: the folder that runs are looked for in. device: `cpu`, `cuda` or `mps`.

    Nothing in a file is executed. Raises a BastzooError, in a sentence, for what cannot be loaded.

    >>> import bastzoo as bz
    >>> bz.load("default").window_seconds
    0.5
    """
    from bastzoo.models.loading import load_localizer
    from bastzoo.plugins import default_registry

    return load_localizer(model, registry=default_registry(), out=runs, device=device)


def create_model(
    backbone: str,
    *,
    integration: str = "SUB",
    head: str = "azimuth",
    frontend: str = "spectrogram",
    sharing: str = "SP",
    preset: str = "quick",
    classes: tuple[str, ...] = (),
) -> BinauralLocalizer:
    """An untrained network of named components: clips `[B, 2, 8000]` in, named outputs out.

    backbone: its name, or a whole combination as `list_models` names it (`mamba/SUB/MIX/SP`).
    preset: whose sizes it has, by name or file. classes: their names, for heads that answer one.
    torch's generator decides the weights (`torch.manual_seed`). Raises ComponentError for an unknown
    name and CombinationError for parts that do not fit each other.

    >>> import bastzoo as bz
    >>> model = bz.create_model("mamba/SUB/MIX/SP", preset="quick")
    >>> type(model).__name__, model.sharing
    ('BinauralLocalizer', 'SP')
    """
    from bastzoo.experiment import ResolvedComponent, check_fit
    from bastzoo.models.building import build_model
    from bastzoo.plugins import default_registry
    from bastzoo.presets import load_preset
    from bastzoo.registry import MODEL_KINDS

    if backbone.count("/") >= 3:  # the loss is of no meaning for a network
        backbone, integration, _, sharing = backbone.rsplit("/", 3)
    registry, sizes = default_registry(), load_preset(preset)
    names = dict(zip(MODEL_KINDS, (frontend, backbone, integration, head), strict=True))
    found = {kind: registry.get(kind, name) for kind, name in names.items()}
    check_fit(found["backbone"], found["frontend"], registry)
    resolved = {kind: ResolvedComponent.of(part, sizes) for kind, part in found.items()}
    if classes:
        parameters = {**resolved["head"].parameters, "classes": list(classes)}
        resolved["head"] = resolved["head"].model_copy(update={"parameters": parameters})
    return build_model(registry, resolved, sharing=sharing, size=sizes.model.model_dump())


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """The combinations `backbone/INTEGRATION/LOSS/SHARING` that fit the head `azimuth`, by wildcard.

    All components that are registered count, built in or of plugins, also those that cannot run
    here; families of backbones are left out. Case does not matter.

    pretrained: the names of models with weights instead, for `load`.

    >>> import bastzoo as bz
    >>> bz.list_models("mamba/SUB/MIX/*")
    ['mamba/SUB/MIX/SP', 'mamba/SUB/MIX/NSP']
    >>> "default" in bz.list_models(pretrained=True)
    True
    """
    if pretrained:
        return [component.name for component in components("model", pattern)]
    from bastzoo.experiment import SHARINGS
    from bastzoo.harness.grid.axes import PAPER_AXES, combinations
    from bastzoo.plugins import default_registry

    registry = default_registry()
    axes = {kind: tuple(registry.names(kind)) for kind in ("backbone", "integration", "loss")}
    axes |= {"sharing": SHARINGS, "head": PAPER_AXES["head"], "frontend": PAPER_AXES["frontend"]}
    names = (
        f"{c.backbone}/{c.integration}/{c.loss}/{c.sharing}"
        for c in combinations(axes, registry, skip_misfits=True)
    )
    return [name for name in dict.fromkeys(names) if fnmatchcase(name.lower(), pattern.lower())]


def load_runs(folder: str | Path = "runs") -> Runs:
    """The runs of a folder: `.frame()` (pandas), `.leaderboard()`, `.compare("vanilla-SUB", "mamba-SUB")`.

    folder: where `bastzoo bench` wrote, or one of record files, as under leaderboards/records/ here.
    Raises RecordError when there is no such folder; a record that cannot be read is named in `.faults`.

    >>> import bastzoo as bz
    >>> runs = bz.load_runs("leaderboards/records/plugins")
    >>> frame = runs.frame()
    >>> best = frame[frame["kind"] == "model"].sort_values("ad_mean").iloc[0]
    >>> best["backbone"], best["frontend"], round(float(best["ad_mean"]), 2)
    ('vanilla', 'btff', 2.27)
    """
    from bastzoo.boards.frames import Runs
    from bastzoo.harness.tracks import question_of

    return Runs.of(folder, question=question_of)


def bench(
    *,
    backbone: Names = (),
    integration: Names = (),
    loss: Names = (),
    sharing: Names = (),
    env: Names = (),
    head: Names = (),
    frontend: Names = (),
    track: Names = (),
    seeds: int | Sequence[int] = 1,
    preset: str = "quick",
    recipe: Mapping[str, float] | None = None,
    source: DataSource | None = None,
    runs: str | Path = "runs",
    rerun: Literal["missing", "failed", "stale", "all"] = "missing",
    on_failure: Literal["raise", "record"] = "raise",
    jobs: int = 1,
    device: str = "auto",
    precision: str = "no",
) -> Runs:
    """Train and test every combination of the axes, as `bastzoo bench` does, and give the runs.

    An axis that is not named takes the papers' values; `"all"` is all that can run here.
    track: questions to test each run on, with what they need trained.
    seeds: how many runs of each, with the seeds from 0, or which seeds.
    preset: sizes and recipe: `quick`, `standard`, `paper`, or a TOML file. recipe: what to train with
        in the place of the preset's own: `{"steps": 500, "batch": 32, "learning_rate": 1e-3}`.
    source: where clips come from (`bastzoo.conditions.DataSource`); None: rendered on demand.
    runs: the folder of runs, which other processes may work in too. What is finished there is not done
        again, and what was stopped goes on; its leaderboards are written.
    rerun: what to run beside rows without a record. jobs: runs at a time, each in a process.
    on_failure: `"raise"` ends at the first run that fails; `"record"` goes on, and its record says why.

    Raises a BastzooError for what cannot be run, TrainingError for a run that fails, KeyboardInterrupt
    after a checkpoint was kept. What is left out is said in a warning.

    >>> import bastzoo as bz
    >>> runs = bz.bench(backbone="vanilla", integration="SUB", loss="AD", sharing="SP")  # doctest: +SKIP
    >>> runs.frame()[["backbone", "ad_mean"]]  # doctest: +SKIP
    """
    from bastzoo.conditions import DataSource
    from bastzoo.harness.grid.asked import grid_of
    from bastzoo.harness.grid.run import run_grid
    from bastzoo.harness.jobs import Settings
    from bastzoo.plugins import default_registry

    registry, heard = default_registry(), source or DataSource()
    axes = {
        "backbone": backbone,
        "integration": integration,
        "loss": loss,
        "sharing": sharing,
        "environment": env,
        "head": head,
        "frontend": frontend,
    }
    grid = grid_of(
        {name: _names(values) for name, values in axes.items()},
        registry=registry,
        source=heard,
        tracks=_names(track),
        preset=preset,
        recipe=recipe,
        seeds=seeds,
    )
    results = run_grid(
        grid,
        Settings(out=str(runs), device=device, precision=precision, source=heard),
        registry=registry,
        executor=registry.get("executor", "local").build(jobs=jobs),
        rerun=rerun,
        on_failure=on_failure,
        say=lambda sentence: warnings.warn(sentence, stacklevel=3),
    )
    return load_runs(runs).of_keys({record.key for record in results.records})


def evaluate(
    run: str | RunRecord,
    *,
    track: Names = (),
    env: Names = (),
    listener: Names = (),
    sounds: str | None = None,
    runs: str | Path = "runs",
    device: str = "auto",
) -> Runs:
    """Test a run, or a model by name, on tracks and in environments, as `bastzoo evaluate` does.

    run: of `bench` or `load_runs`, a folder or key or the beginning of either in `runs`, or what `load`
        takes: that becomes a run there first. track, env: what to test on; none: the run's own.
    listener: who listens in the place of the run's own (a SOFA file, `default`, `kemar`, `virtual/N`, one of
        a data set). sounds: a folder of recordings in the place of the run's own.

    Gives the run with all its results: `.frame()` has a row for each case, `.leaderboard(track)` the table.
    Raises a BastzooError for what cannot be tested.

    >>> import bastzoo as bz
    >>> bz.evaluate("default", track="measured-rooms").frame()["ad_mean"].mean()  # doctest: +SKIP
    """
    from bastzoo.harness.track_run import track_runs
    from bastzoo.harness.tracks import tests_of
    from bastzoo.harness.workbench import Workbench
    from bastzoo.models.loading import run_folder
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RECORD_FILE, RunStore, read_record

    registry, store = default_registry(), RunStore(runs)
    path = run_folder(run if isinstance(run, str) else run.key, store, registry)
    record = read_record(path / RECORD_FILE)
    tested, store = record.tested, RunStore(path.parent)
    heard, words = tested.source.heard_by(_names(listener), sounds=sounds)
    tracks = tests_of(
        tested,
        environments=_names(env),
        tracks=_names(track),
        heard=heard,
        words=words,
        registry=registry,
    )
    workbench = Workbench(
        registry,
        device=device,
        precision=record.experiment.precision if record.experiment else "no",
        source=heard,
    )
    track_runs(record, tracks, workbench=workbench, store=store)
    return load_runs(store.folder).of_keys({record.key})


def render(
    sound: ArrayLike,
    *,
    azimuth: float,
    elevation: float = 0.0,
    room: str = "RI01",
    listener: str = "default",
    rate: int = 16_000,
    snr_db: float | None = None,
    noise: Literal["speech", "white"] = "speech",
    seed: int = 0,
) -> np.ndarray:
    """A sound as a listener hears it: `[2, N]`, float32 at 16 kHz, channel 0 the left ear.

    sound: mono, `[n]`, at `rate` Hz, of any length. azimuth: degrees, +90 the left; elevation: up positive.
    room: an environment of one room: `RI01` (anechoic), `RI02` (lecture hall), a measured one
        (`surrey/D`: its own ears, and the azimuths that were measured there).
    listener: `default`, `kemar`, `virtual/N`, a SOFA file, one of a data set (`cipic/003`).
    snr_db: a diffuse field of noise that many dB below the sound at the ears; None: none.

    Raises DataError for a sound that is none and for a direction that cannot be heard there: farther than
    5 degrees from any that was measured.

    >>> import bastzoo as bz, numpy as np
    >>> click = np.zeros(8000); click[100] = 1.0
    >>> left, right = bz.render(click, azimuth=60, listener="kemar")
    >>> bool(np.argmax(np.abs(left)) < np.argmax(np.abs(right)))
    True
    """
    import numpy as np

    from bastzoo.acoustics.rooms.measured import MeasuredRoom
    from bastzoo.data.environments import Environment
    from bastzoo.data.listeners import find_listeners
    from bastzoo.data.rendering.hearing import heard
    from bastzoo.errors import DataError
    from bastzoo.plugins import default_registry

    registry = default_registry()
    place = registry.get("environment", room).build_as(Environment)
    if len(place.rooms) != 1:
        raise DataError(
            f"The environment {place.name} has {len(place.rooms) or 'no fixed'} rooms; name one of a single "
            "room, as RI01 or RI02."
        )
    if not isinstance(listener, str):
        raise DataError(f"A listener is a name or a file, not {listener!r}.")
    if listener != "default" and isinstance(place.rooms[0], MeasuredRoom):
        raise DataError(
            f"{room} was measured with ears of its own, and nobody else hears there: leave `listener` away."
        )
    found = find_listeners(listener, registry=registry)
    if len(found) != 1:
        raise DataError(f"{listener!r} names {len(found)} listeners; name one of them.")
    return heard(
        np.asarray(sound),
        room=place.rooms[0],
        listener=found[0],
        azimuth=azimuth,
        elevation=elevation,
        rate=rate,
        snr_db=snr_db,
        noise=noise,
        seed=seed,
    )


def localization_metrics(
    predicted: ArrayLike, true: ArrayLike, *, sounds: ArrayLike | None = None
) -> Metrics:
    """Every metric of docs/protocol.md that directions alone give: degrees, and shares of 0 to 1.

    predicted: `[n, 3]`, x front, y left, z up, any length; zero or NaN for no direction.
    true: `[n, 3]`, of any length but zero.
    sounds: `[n]`, which sound each clip was made from, as integers: pairs the sides of the
        test of the hemifield gap. None: every clip has a sound of its own, so
        `hemifield_gap_p` is None.

    Raises ValueError for arrays of other shapes and for a true direction that is none.

    >>> import bastzoo as bz
    >>> figures = bz.localization_metrics([[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 0, 0]])
    >>> figures["clips"], figures["ad_mean"], figures["acc_5"]
    (2, 45.0, 0.5)
    """
    from bastzoo.metrics import functions

    return functions.localization_metrics(predicted, true, sounds=sounds)


def _names(given: Names) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
