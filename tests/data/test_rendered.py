"""The embedded data: splits by sound, clips that depend on their index alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bastzoo.acoustics.listeners.listener import default_listener, kemar
from bastzoo.data.environments import Environment, ri, ri01, ri02
from bastzoo.data.rendering.clips import RenderedClips, RenderedData
from bastzoo.data.rendering.digests import data_digest
from bastzoo.data.rendering.places import azimuth_grid
from bastzoo.directions import azimuth_of
from bastzoo.presets import DataSize

SIZE = DataSize(train_sounds=4, validation_sounds=2, test_sounds=3, azimuth_step=90)


@pytest.fixture(scope="module")
def data() -> RenderedData:
    return RenderedData(environment=ri(), size=SIZE)


@pytest.fixture(scope="module")
def tested(data: RenderedData) -> RenderedClips:
    return data.split("test")


def test_no_sound_is_in_two_splits(data: RenderedData) -> None:
    ids = [set(data.split(name).sound_ids) for name in ("train", "validation", "test")]
    assert not ids[0] & ids[1]
    assert not ids[0] & ids[2]
    assert not ids[1] & ids[2]
    assert [len(i) for i in ids] == [4, 2, 3]


def test_every_sound_is_heard_in_every_room_from_every_azimuth(tested: RenderedClips) -> None:
    batch = tested.take(torch.arange(len(tested)))
    azimuths = np.rint(azimuth_of(batch.targets["direction"].numpy().astype(np.float64)))
    heard = {*zip(batch.sounds.tolist(), batch.rooms.tolist(), azimuths.tolist(), strict=True)}
    assert len(tested) == 3 * 2 * 4 == len(heard)
    assert {a for _, _, a in heard} == {-90.0, 0.0, 90.0, 180.0}


def test_a_clip_is_the_same_in_any_order_and_any_batch(tested: RenderedClips) -> None:
    whole = tested.take(torch.arange(len(tested))).inputs
    order = torch.randperm(len(tested), generator=torch.Generator().manual_seed(0))
    again = torch.cat([tested.take(part).inputs for part in order.split(5)])
    # FFTs of different batch sizes may round differently in the last bit.
    torch.testing.assert_close(again, whole[order], rtol=0, atol=1e-6 * float(whole.abs().max()))


def test_sounds_on_the_left_are_louder_in_the_left_ear(tested: RenderedClips) -> None:
    batch = tested.take(torch.arange(len(tested)))
    left, right = batch.inputs.square().mean(dim=2).unbind(dim=1)
    y = batch.targets["direction"][:, 1]
    assert (left > right)[y > 0.9].all()
    assert (left < right)[y < -0.9].all()


def test_test_sounds_of_a_small_preset_are_the_first_of_a_larger_one() -> None:
    larger = RenderedData(environment=ri01(), size=SIZE.model_copy(update={"test_sounds": 5}))
    small = RenderedData(environment=ri01(), size=SIZE)
    assert larger.split("test").sound_ids[:3] == small.split("test").sound_ids


def test_the_digest_changes_with_whatever_changes_the_clips() -> None:
    digests = {
        data_digest(ri(), SIZE, listener=default_listener().digest),
        data_digest(ri01(), SIZE, listener=default_listener().digest),
        data_digest(ri02(), SIZE, listener=default_listener().digest),
        data_digest(ri(), SIZE, listener=kemar().digest),
        data_digest(
            ri(), SIZE.model_copy(update={"corpus_seed": 1}), listener=default_listener().digest
        ),
        data_digest(
            ri(), SIZE.model_copy(update={"azimuth_step": 45}), listener=default_listener().digest
        ),
    }
    assert len(digests) == 6
    renamed = Environment("another name", ri().rooms)
    assert data_digest(renamed, SIZE, listener=default_listener().digest) in digests


@pytest.mark.parametrize("step", [5, 10, 60, 90, 360])
def test_the_azimuth_grid_covers_the_circle_once(step: int) -> None:
    grid = azimuth_grid(step)
    assert len(set(grid % 360)) == 360 // step
    assert grid.min() > -180
    assert grid.max() == 180
