"""From a combination to an experiment: what it hears, what its head needs to know, and what cannot be."""

from __future__ import annotations

from typing import Any

from bastzoo.conditions import Condition
from bastzoo.data.targets import ALWAYS_KNOWN, without_variety
from bastzoo.errors import CombinationError
from bastzoo.experiment import Combination, Experiment, ResolvedComponent, Tasks, resolve
from bastzoo.harness.workbench.heard import HeardData
from bastzoo.harness.workbench.session import Session
from bastzoo.presets import Preset
from bastzoo.registry import Component


class Resolver:
    """Resolves what is asked for with the registry of a session and the data that is heard."""

    def __init__(self, session: Session, data: HeardData) -> None:
        self._session, self._data = session, data

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
        condition = self._data.condition(environment, condition)
        frontend = ResolvedComponent.of(
            self._session.registry.get("frontend", combination.frontend), preset
        )
        most = max(condition.sources)
        if self._data.source.layout != "rendered":
            most = self._data.clips(environment, preset.data, condition, frontend).most_sources
        self._check_sources(combination, preset, most)
        self._data.check_test(environment, preset.data, condition)
        digest = self._data.digest(environment, preset.data, condition, frontend)
        parameters: dict[str, dict[str, Any]] = {}
        if self._data.source.layout == "csv":
            shape = self._data.clips(environment, preset.data, condition, frontend).feature_shape
            parameters["frontend"] = {"shape": shape}
        head = self._session.registry.get("head", combination.head)
        self._check_targets(head, environment)
        if "class" in head.needs:
            # Their names and their order belong to the model: another data set's would mean others.
            names = self._data.classes(environment, preset.data, condition, frontend)
            parameters["head"] = {"classes": list(names)}
        return resolve(
            combination,
            registry=self._session.registry,
            preset=preset,
            environment=self._data.environment_name(environment),
            data_digest=digest,
            source=self._data.source,
            condition=condition,
            parameters=parameters,
            seed=seed,
            precision=self._session.precision,
            tasks=tasks,
        )

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
        frontend = ResolvedComponent.of(
            self._session.registry.get("frontend", combination.frontend), preset
        )
        data = self._data.clips(
            environment, preset.data, self._data.condition(environment, condition), frontend
        )
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
        head = self._session.registry.get("head", experiment.components["head"].name)
        if self._data.source.layout != "rendered":
            found = list(getattr(self._data.of(experiment), "notes", ()))
        else:
            rooms = self._data.environment(experiment.environment)
            found = self._data.listeners.warnings(
                rooms, experiment.condition, experiment.preset.data
            )
            corpora = self._data.sounds(experiment.preset.data)
            found += corpora["train"].notes if corpora else ()
        if head.needs:
            training = self._data.of(experiment).split("train")
            found += [word for name in head.needs if (word := without_variety(name, training))]
        return found

    def _check_sources(self, combination: Combination, preset: Preset, most: int) -> None:
        """Refuse clips of more sources than the head has answers."""
        head = self._session.registry.get("head", combination.head)
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
        if self._data.source.layout == "rendered":
            known += self._data.environment(environment).targets
        if missing := [name for name in head.needs if name not in known]:
            raise CombinationError(
                f"The head {head.name!r} needs the target {', '.join(map(repr, missing))}, which the data "
                f"of {environment} does not give (it gives {', '.join(known)}); use an environment that "
                "does (`targets` of its Environment), or another head."
            )
