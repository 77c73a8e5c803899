"""What the runs of a process hear: listeners, sounds, rooms and recordings, each read or made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.acoustics.sounds.corpus import FAMILIES
from bastzoo.conditions import ALL_ROOMS, Condition, DataSource
from bastzoo.data.batches import DataSet
from bastzoo.data.environments import Environment, check_heard
from bastzoo.data.listeners import SourceListeners
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.data.rendering.digests import data_digest
from bastzoo.data.rendering.places import check_reach
from bastzoo.errors import DataError
from bastzoo.experiment import Experiment, ResolvedComponent
from bastzoo.harness.workbench.session import Session
from bastzoo.presets import DataSize

if TYPE_CHECKING:
    from bastzoo.acoustics.sounds.corpus import Corpus
    from bastzoo.data.recorded.convert import ConversionState
    from bastzoo.data.rendering.scenes import SceneData


class HeardData:
    """The data of a source; every experiment of a workbench hears the same.

    source: where clips come from.
    cache, cache_dtype: where features of recorded data are kept, and in which precision.
    progress: told how far a conversion of recorded data is.
    """

    def __init__(
        self,
        session: Session,
        source: DataSource,
        *,
        cache: Path | None = None,
        cache_dtype: str = "float16",
        progress: Callable[[ConversionState], None] | None = None,
    ) -> None:
        self.source = source
        self.listeners = SourceListeners(source, session.registry)
        self._session = session
        self._cache: dict[str, Any] = {"cache": cache, "dtype": cache_dtype, "progress": progress}
        self._made: dict[tuple[str, ...], DataSet] = {}
        self._corpora: dict[DataSize, Mapping[Split, Corpus]] = {}

    def environment(self, name: str) -> Environment:
        """Build an environment by name. Raises ComponentError when its plugin does not give one."""
        return self._session.registry.get("environment", name).build_as(Environment)

    def condition(self, environment: str, asked: Condition | None) -> Condition:
        """What is asked for, or else what is usually heard in an environment.

        Raises DataError where rendered clips of the environment cannot be heard so.
        """
        if self.source.layout != "rendered":
            return asked or Condition()
        found = self.environment(environment)
        condition = found.condition if asked in (None, Condition()) else asked
        check_heard(found, condition)
        return condition

    def environment_name(self, name: str) -> str:
        """Spell an environment as its component does; recorded data has names of its own."""
        if self.source.layout == "csv":
            return "CSV"
        if self.source.layout == "bast":
            if name.upper() == "RI" and Path(self.source.path or "").is_file():
                return ALL_ROOMS  # of a manifest, whose rooms are its own and not the papers'
            return name.upper() if name.upper().startswith("RI") else name
        return self._session.registry.get("environment", name).name

    def digest(
        self, environment: str, size: DataSize, condition: Condition, frontend: ResolvedComponent
    ) -> str:
        """The digest of an environment's data; rendered data need not be rendered for it."""
        if self.source.layout != "rendered":
            return self.clips(environment, size, condition, frontend).digest
        return data_digest(
            self.environment(environment),
            size,
            condition=condition,
            corpora=self.sounds(size),
            **self.listeners.digests(size),
        )

    def clips(
        self, environment: str, size: DataSize, condition: Condition, frontend: ResolvedComponent
    ) -> DataSet:
        """The data of an environment under a condition, shared by all runs of this process.

        Raises DataError for recorded data under any condition but the one it was recorded in.
        """
        if self.source.layout != "rendered":
            if condition != Condition():
                raise DataError(
                    f"Recorded data cannot be heard under another condition ({condition}); "
                    "leave --data and --csv away to render clips."
                )
            key = (environment, size.model_dump_json(), frontend.model_dump_json())
            if key not in self._made:
                self._made[key] = self._recorded(environment, size, frontend)
            return self._made[key]
        name = (self.digest(environment, size, condition, frontend),)
        if name not in self._made:
            heard = self.environment(environment)
            self._made[name] = (RenderedData if heard.scenes is None else _scene_data())(
                environment=heard,
                size=size,
                condition=condition,
                listeners=self.listeners.of(size),
                corpora=self.sounds(size),
                device=self._session.device,
            )
        return self._made[name]

    def of(self, experiment: Experiment) -> DataSet:
        """The data that an experiment trains, validates and is tested on."""
        return self.clips(
            experiment.environment,
            experiment.preset.data,
            experiment.condition,
            experiment.components["frontend"],
        )

    def check_test(self, environment: str, size: DataSize, condition: Condition) -> None:
        """Refuse a test from directions that its listeners were not measured near, before any training.

        Raises DataError.
        """
        if self.source.layout == "rendered":
            own = self.listeners.of(size)["test"]
            check_reach(self.environment(environment), own, condition, size)

    def sounds(self, size: DataSize) -> Mapping[Split, Corpus] | None:
        """The sounds of `--sounds`, read once a process; None for the embedded corpus."""
        if self.source.sounds is None:
            return None
        if size not in self._corpora:
            from bastzoo.acoustics.sounds.recordings import read_sound_folder
            from bastzoo.data.sets.folder import find_sounds

            counts: dict[Split, int] = {s: getattr(size, f"{s}_sounds") for s in SPLITS}
            folder = find_sounds(self.source.sounds, self._session.registry)
            read = read_sound_folder(folder, counts, seed=size.corpus_seed)
            self._corpora[size] = {split: read[split] for split in SPLITS}
        return self._corpora[size]

    def classes(
        self, environment: str, size: DataSize, condition: Condition, frontend: ResolvedComponent
    ) -> tuple[str, ...]:
        """Names of the classes; those of rendered data need no rendering."""
        if self.source.layout != "rendered":
            return self.clips(environment, size, condition, frontend).split("train").classes
        corpora = self.sounds(size)
        return corpora["train"].classes if corpora else FAMILIES

    def _recorded(self, environment: str, size: DataSize, frontend: ResolvedComponent) -> DataSet:
        from bastzoo.data.recorded.dataset import open_recorded

        return open_recorded(
            self.source,
            environment=environment,
            size=size,
            frontend=self._session.component("frontend", frontend),
            device=self._session.device,
            **self._cache,
        )


def _scene_data() -> type[SceneData]:
    """What makes clips of scenes; imported where it is used."""
    from bastzoo.data.rendering.scenes import SceneData

    return SceneData
