"""Which records are stale: of other code, another preset or other data than there is now.

Imports no torch: a list of thousands of runs asks this of each.
"""

from __future__ import annotations

from functools import cache

from bastzoo.conditions import Condition, DataSource
from bastzoo.errors import BastzooError
from bastzoo.experiment import ELSEWHERE, Experiment, ResolvedComponent
from bastzoo.presets import DataSize, Preset, load_preset, preset_names
from bastzoo.records.record import AnswersExperiment, RunRecord, TrackRecord
from bastzoo.registry import Component, Registry


class Present:
    """What code, presets and data are by now.

    Data read from files of the user's own (recordings, `--hrtf`, `--sounds`) are not looked at: reading
    them again takes as long as the run did. Nor are plugins that are not installed here.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        # Thousands of records name a few dozen different components and a few data sets.
        self._component = cache(self._component_now)
        self._data = cache(self._data_now)
        self._preset = cache(load_preset)

    def reason(self, record: RunRecord | TrackRecord) -> str:
        """What has changed since a record was made, in words; empty when it is not stale."""
        tested = record.tested
        if isinstance(tested, Experiment):
            size = tested.preset.data
            reasons = [
                self._changed(kind, then, tested.preset)
                for kind, then in tested.components.items()
                if kind != "environment"  # what it decides is the data
            ]
            reasons.append(self._preset_changed(tested.preset))
        elif isinstance(tested, AnswersExperiment):
            size, reasons = tested.data, []
        else:
            size = tested.data
            reasons = [self._changed("baseline", tested.component)]
        if tested.data_digest.startswith(ELSEWHERE):
            return "; ".join(filter(None, reasons))
        now = self._data(tested.environment, size, tested.condition, tested.source)
        if now not in ("", tested.data_digest):
            reasons.append(f"other data under the name {tested.environment}")
        return "; ".join(filter(None, reasons))

    def _changed(self, kind: str, then: ResolvedComponent, preset: Preset | None = None) -> str:
        now = self._component(kind, then.name)
        if now is None:
            return ""
        name = f"{kind} {then.name}"
        if then.target != now.target:
            return f"{name} of {then.target}, now of {now.target}"
        if then.version != now.version:
            return f"{name} version {then.version}, now {now.version}"
        fixed = {} if preset is None else preset.parameters_of(now)
        other = sorted(key for key, value in fixed.items() if then.parameters.get(key) != value)
        return f"{name} with another {', '.join(other)}" if other else ""

    def _preset_changed(self, then: Preset) -> str:
        """How a preset that ships has changed. A file of the user's own is what it says."""
        if then.name not in preset_names():
            return ""
        now = self._preset(then.name)
        if now == then:
            return ""
        parts = ("model", "data", "recipe", "parameters")
        changed = [part for part in parts if getattr(now, part) != getattr(then, part)]
        return f"the preset {then.name} has another {' and '.join(changed)}" if changed else ""

    def _component_now(self, kind: str, name: str) -> Component | None:
        """The component; None for one that is not installed here."""
        try:
            return self._registry.get(kind, name)
        except BastzooError:
            return None

    def _data_now(
        self, environment: str, size: DataSize, condition: Condition, source: DataSource
    ) -> str:
        """The digest of rendered data as it would be made now; empty where that is not known."""
        if source != DataSource():
            return ""
        component = self._component("environment", environment)
        if component is None:
            return ""
        from bastzoo.acoustics.listeners.listener import DEFAULT_DIGEST
        from bastzoo.data.rendering.digests import data_digest

        try:
            rooms = component.build()
        except Exception:  # a plugin's defect is no fault of the record
            return ""
        return data_digest(rooms, size, listener=DEFAULT_DIGEST, condition=condition)
