"""The workbench: what the runs of a process share. Registry, device, precision, and data once made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from bastzoo.acoustics import CLIP_SAMPLES
from bastzoo.acoustics.sounds import SPLITS, Split
from bastzoo.acoustics.sounds.corpus import FAMILIES
from bastzoo.conditions import Condition, DataSource
from bastzoo.data.batches import DataSet
from bastzoo.data.environments import Environment
from bastzoo.data.listeners import SourceListeners
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.data.rendering.digests import data_digest
from bastzoo.data.rendering.places import check_reach
from bastzoo.data.targets import ALWAYS_KNOWN, without_variety
from bastzoo.errors import BastzooError, CombinationError, ComponentError, DataError, SetupError
from bastzoo.experiment import Combination, Experiment, ResolvedComponent, Tasks, resolve
from bastzoo.harness.grid.axes import READY_MADE
from bastzoo.metrics.registered import metrics_of
from bastzoo.model import BinauralLocalizer
from bastzoo.models.building import build_model, resolved_component
from bastzoo.presets import DataSize, Preset
from bastzoo.registry import Component, Registry, accepted
from bastzoo.zoo.losses import Loss

if TYPE_CHECKING:
    from bastzoo.acoustics.sounds.corpus import Corpus
    from bastzoo.data.recorded.convert import ConversionState
    from bastzoo.data.rendering.scenes import SceneData
    from bastzoo.metrics.metric import Metric


class Workbench:
    """What runs share within a process.

    source: where clips come from; every experiment of the workbench hears the same data.
    cache, cache_dtype: where features of recorded data are kept, and in which precision.
    progress: told how far a conversion of recorded data is.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        device: str = "auto",
        precision: str = "no",
        source: DataSource | None = None,
        cache: Path | None = None,
        cache_dtype: str = "float16",
        progress: Callable[[ConversionState], None] | None = None,
    ) -> None:
        self.registry = registry
        self.precision = precision
        self.accelerator = _accelerator(device, precision)
        self.source = source or DataSource()
        self._cache: dict[str, Any] = {"cache": cache, "dtype": cache_dtype, "progress": progress}
        self._data: dict[tuple[str, ...], DataSet] = {}
        self._corpora: dict[DataSize, Mapping[Split, Corpus]] = {}
        self.listeners = SourceListeners(self.source, registry)

    @property
    def device(self) -> torch.device:
        """The device that models train on and clips are rendered on."""
        return self.accelerator.device

    def environment(self, name: str) -> Environment:
        """Build an environment by name. Raises ComponentError when its plugin raises."""
        component = self.registry.get("environment", name)
        try:
            return component.build()
        except BastzooError:
            raise
        except Exception as error:  # third-party code: its defect is a sentence, not our traceback
            raise ComponentError(
                f"The environment {component.name!r} of {component.distribution} cannot be built: "
                f"{type(error).__name__}: {error}."
            ) from error

    def condition(self, environment: str, asked: Condition | None) -> Condition:
        """What is asked for, or else what is usually heard in an environment."""
        if asked not in (None, Condition()):
            return asked
        if self.source.layout != "rendered":
            return Condition()
        return self.environment(environment).condition

    def environment_name(self, name: str) -> str:
        """Spell an environment as its component does; recorded data has names of its own."""
        if self.source.layout == "csv":
            return "CSV"
        if self.source.layout == "bast":
            return name.upper() if name.upper().startswith("RI") else name
        return self.registry.get("environment", name).name

    def digest(
        self, environment: str, size: DataSize, condition: Condition, frontend: ResolvedComponent
    ) -> str:
        """The digest of an environment's data; rendered data need not be rendered for it."""
        if self.source.layout != "rendered":
            return self.data(environment, size, condition, frontend).digest
        return data_digest(
            self.environment(environment),
            size,
            condition=condition,
            corpora=self._sounds(size),
            **self.listeners.digests(size),
        )

    def data(
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
            key = (environment, str(size.validation_sounds), frontend.model_dump_json())
            if key not in self._data:
                self._data[key] = self._recorded(environment, size, frontend)
            return self._data[key]
        name = (self.digest(environment, size, condition, frontend),)
        if name not in self._data:
            heard = self.environment(environment)
            self._data[name] = (RenderedData if heard.scenes is None else _scene_data())(
                environment=heard,
                size=size,
                condition=condition,
                listeners=self.listeners.of(size),
                corpora=self._sounds(size),
                device=self.device,
            )
        return self._data[name]

    def data_of(self, experiment: Experiment) -> DataSet:
        """The data that an experiment trains, validates and is tested on."""
        return self.data(
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

    def _sounds(self, size: DataSize) -> Mapping[Split, Corpus] | None:
        """The sounds of `--sounds`, read once a process; None for the embedded corpus."""
        if self.source.sounds is None:
            return None
        if size not in self._corpora:
            from bastzoo.acoustics.sounds.recordings import read_sound_folder
            from bastzoo.data.sets.folder import find_sounds

            counts: dict[Split, int] = {s: getattr(size, f"{s}_sounds") for s in SPLITS}
            folder = find_sounds(self.source.sounds, self.registry)
            read = read_sound_folder(folder, counts, seed=size.corpus_seed)
            self._corpora[size] = {split: read[split] for split in SPLITS}
        return self._corpora[size]

    def _recorded(self, environment: str, size: DataSize, frontend: ResolvedComponent) -> DataSet:
        from bastzoo.data.recorded.dataset import open_recorded

        return open_recorded(
            self.source,
            environment=environment,
            size=size,
            frontend=self.component("frontend", frontend),
            device=self.device,
            **self._cache,
        )

    def experiment(
        self,
        combination: Combination,
        *,
        preset: Preset,
        environment: str,
        seed: int,
        condition: Condition | None = None,
        tasks: Tasks | None = None,
    ) -> Experiment:
        """Resolve a combination with this workbench's registry, data and precision.

        tasks: how a head with several answers weighs them; of no meaning for any other head.
        """
        condition = self.condition(environment, condition)
        frontend = ResolvedComponent.of(self.registry.get("frontend", combination.frontend), preset)
        most = max(condition.sources)
        if self.source.layout != "rendered":
            most = self.data(environment, preset.data, condition, frontend).most_sources
        self._check_sources(combination, preset, most)
        self.check_test(environment, preset.data, condition)
        digest = self.digest(environment, preset.data, condition, frontend)
        parameters: dict[str, dict[str, Any]] = {}
        if self.source.layout == "csv":
            shape = self.data(environment, preset.data, condition, frontend).feature_shape
            parameters["frontend"] = {"shape": shape}
        head = self.registry.get("head", combination.head)
        self._check_targets(head, environment)
        if "class" in head.needs:
            # Their names and their order belong to the model: another data set's would mean others.
            names = self._classes(environment, preset.data, condition, frontend)
            parameters["head"] = {"classes": list(names)}
        return resolve(
            combination,
            registry=self.registry,
            preset=preset,
            environment=self.environment_name(environment),
            data_digest=digest,
            source=self.source,
            condition=condition,
            parameters=parameters,
            seed=seed,
            precision=self.precision,
            tasks=tasks,
        )

    def _check_sources(self, combination: Combination, preset: Preset, most: int) -> None:
        """Refuse clips of more sources than the head has answers."""
        head = self.registry.get("head", combination.head)
        slots = preset.parameters_of(head).get("slots", head.sources) if head.sources > 1 else 1
        if most > slots:
            raise CombinationError(
                f"Clips have up to {most} sources, and the head {head.name!r} answers {slots}; "
                + (
                    f'give it more slots ([parameters."head.{head.name}"] in a preset file).'
                    if head.sources > 1
                    else "use --head multi."
                )
            )

    def _check_targets(self, head: Component, environment: str) -> None:
        """Refuse a head that needs to know of clips what the data does not say."""
        known = [*ALWAYS_KNOWN]
        if self.source.layout == "rendered":
            known += self.environment(environment).targets
        if missing := [name for name in head.needs if name not in known]:
            raise CombinationError(
                f"The head {head.name!r} needs the target {', '.join(map(repr, missing))}, which the data "
                f"of {environment} does not give (it gives {', '.join(known)}); use an environment that "
                "does (`targets` of its Environment), or another head."
            )

    def _classes(
        self, environment: str, size: DataSize, condition: Condition, frontend: ResolvedComponent
    ) -> tuple[str, ...]:
        """Names of the classes; those of rendered data need no rendering."""
        if self.source.layout != "rendered":
            return self.data(environment, size, condition, frontend).split("train").classes
        corpora = self._sounds(size)
        return corpora["train"].classes if corpora else FAMILIES

    def with_epochs(
        self,
        epochs: int,
        combination: Combination,
        preset: Preset,
        environment: str,
        condition: Condition | None,
    ) -> Preset:
        """The preset with as many steps as `epochs` take on this data.

        Validations come once an epoch, or as often as the preset asks where that is rarer.
        """
        frontend = ResolvedComponent.of(self.registry.get("frontend", combination.frontend), preset)
        data = self.data(environment, preset.data, self.condition(environment, condition), frontend)
        clips = len(data.split("train"))
        an_epoch = max(1, clips // min(preset.recipe.batch, clips))
        steps = epochs * an_epoch
        return preset.with_recipe(
            words=f"epochs={epochs}",
            steps=steps,
            validate_every=min(steps, max(an_epoch, min(preset.recipe.validate_every, steps // 4))),
            warmup_steps=min(preset.recipe.warmup_steps, steps // 10),
        )

    def task_warnings(self, experiment: Experiment) -> list[str]:
        """What the data cannot teach a head with several answers, in sentences."""
        head = self.registry.get("head", experiment.components["head"].name)
        if self.source.layout != "rendered":
            found = list(getattr(self.data_of(experiment), "notes", ()))
        else:
            rooms = self.environment(experiment.environment)
            found = self.listeners.warnings(rooms, experiment.condition, experiment.preset.data)
            corpora = self._sounds(experiment.preset.data)
            found += corpora["train"].notes if corpora else ()
        if head.needs:
            training = self.data_of(experiment).split("train")
            found += [word for name in head.needs if (word := without_variety(name, training))]
        return found

    def loss(self, experiment: Experiment, model: BinauralLocalizer) -> Loss:
        """Build the loss of an experiment: on directions alone, or as the model's head joins its terms."""
        localization: Loss = self.component("loss", experiment.components["loss"]).build()
        if experiment.tasks is None:
            return localization
        join = getattr(model.head, "loss", None)
        if join is None:
            name = experiment.components["head"].name
            raise ComponentError(
                f"The head {name!r} names loss terms in its record and has no method `loss` that joins them."
            )
        joined: Loss = join(localization, **accepted(join, experiment.tasks.model_dump()))
        return joined.to(self.device) if isinstance(joined, torch.nn.Module) else joined

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics that can be had here, in the order of registration; later ones are added."""
        return metrics_of(self.registry)

    def build(self, experiment: Experiment) -> BinauralLocalizer:
        """Build the untrained model of an experiment; its seed decides the weights."""
        set_seed(experiment.seed)
        return build_model(
            self.registry,
            experiment.components,
            sharing=experiment.combination.sharing,
            size=experiment.preset.model.model_dump(),
        )

    def component(self, kind: str, resolved: ResolvedComponent) -> Component:
        """The registered component, with the parameters that an experiment was resolved with."""
        return resolved_component(self.registry, kind, resolved)


def _scene_data() -> type[SceneData]:
    """What makes clips of scenes; imported where it is used."""
    from bastzoo.data.rendering.scenes import SceneData

    return SceneData


def input_shape(experiment: Experiment) -> tuple[int, ...]:
    """The shape of one input of an experiment's model: a clip, or features that come ready-made."""
    shape = experiment.components["frontend"].parameters.get("shape")
    if experiment.combination.frontend == READY_MADE and shape is not None:
        return (2, *shape)
    return (2, CLIP_SAMPLES)


def usual_frontend(registry: Registry) -> ResolvedComponent:
    """The frontend that recorded data is checked and kept with when only its clips are wanted."""
    component = registry.get("frontend", "spectrogram")
    return ResolvedComponent(
        name=component.name,
        version=component.version,
        target=component.target,
        parameters=dict(component.parameters),
    )


def _accelerator(device: str, precision: str) -> Accelerator:
    """Make the accelerator of a device: `auto`, `cpu`, `cuda` or `mps`."""
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise SetupError(f"There is no device {device!r}; use auto, cpu, cuda or mps.")
    if device == "cuda" and not torch.cuda.is_available():
        raise SetupError(
            "The device 'cuda' was asked for, but torch sees no CUDA GPU here; "
            "use --device cpu, or see `bastzoo doctor`."
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise SetupError("The device 'mps' was asked for, but torch sees none; use --device cpu.")
    if precision == "fp16" and (device == "cpu" or not torch.cuda.is_available()):
        raise SetupError("fp16 training needs a CUDA GPU; use --precision bf16 or no.")
    return Accelerator(cpu=device == "cpu", mixed_precision=precision)
