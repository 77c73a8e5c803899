"""Promises of environments."""

from __future__ import annotations

from dataclasses import replace

import torch

from bastzoo.data.batches import ClipSet
from bastzoo.data.environments import Environment
from bastzoo.testing.suite import ComponentSuite


class EnvironmentSuite(ComponentSuite):
    """Promises of an environment: rooms in which clips can be rendered."""

    kind = "environment"

    def build(self) -> Environment:
        """Build the environment."""
        environment: Environment = self.record.build()
        return environment

    def test_it_has_its_name_and_rooms(self) -> None:
        """It has the name of its record, and at least one room; no two rooms have one name."""
        environment = self.build()
        assert environment.name == self.record.name, (
            f"it calls itself {environment.name!r}, and its record {self.record.name!r}"
        )
        names = [room.name for room in environment.rooms]
        assert names or environment.scenes is not None, "it has no room"
        assert len(set(names)) == len(names), f"two of its rooms have one name: {', '.join(names)}"

    def test_it_is_the_same_every_time(self) -> None:
        """It is the same at every build: results are named after it."""
        assert self.build() == self.build(), "two builds differ"

    def test_clips_can_be_rendered(self) -> None:
        """A sound is heard in each room, from the front and from the left, by both ears."""
        environment = self.build()
        clips = _clips(environment)
        batch = clips.take(torch.arange(len(clips)))
        assert batch.inputs.isfinite().all(), "a clip is not finite"
        assert (batch.inputs.abs().amax(dim=-1) > 0).all(), "an ear hears nothing"


def _clips(environment: Environment) -> ClipSet:
    """A sound in each room from four sides, or in a few scenes."""
    from bastzoo.data.rendering.clips import RenderedData
    from bastzoo.data.rendering.scenes import SceneData
    from bastzoo.presets import DataSize

    size = DataSize(train_sounds=1, validation_sounds=1, test_sounds=1, azimuth_step=90)
    if environment.scenes is None:
        return RenderedData(environment=environment, size=size).split("test")
    few = replace(environment, scenes=replace(environment.scenes, test=3, test_takes=8))
    return SceneData(environment=few, size=size, condition=environment.condition).split("test")
