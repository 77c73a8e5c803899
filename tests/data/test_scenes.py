"""Promises of clips of scenes: splits apart, clips from their index alone, conditions that are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bastzoo.acoustics.listeners.listener import default_listener, kemar, virtual_listener
from bastzoo.acoustics.rooms.materials import reverberation_time
from bastzoo.acoustics.rooms.responses import Ears, images, mixing_time, scene_responses
from bastzoo.acoustics.rooms.scenes import Scene, draw_scene, source_places
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.conditions import WILD, Condition
from bastzoo.data.environments import Environment, Scenes, ri, wild
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.data.rendering.scenes import SceneClips, SceneData, make_bank
from bastzoo.directions import azimuth_of
from bastzoo.errors import DataError
from bastzoo.presets import DataSize

CORPUS = make_corpus(range(4), 0)
SIZE = DataSize(train_sounds=3, validation_sounds=2, test_sounds=2)
SMALL = Scenes(train=4, validation=2, test=2, train_takes=5, validation_takes=3, test_takes=4)


@pytest.fixture(scope="module")
def bank():
    return make_bank([default_listener()], split="train", scenes=6, sources=4)


def clips(bank, condition=WILD, split="train"):
    return SceneClips(split=split, corpus=CORPUS, bank=bank, condition=condition, takes=6)


def plain(**values):
    return Condition(listeners=WILD.listeners, **values)


def a_room(rt60=0.5):
    return next(
        scene
        for scene in map(draw_scene, range(400))
        if scene.size is not None and abs(scene.rt60[3] - rt60) < 0.1
    )


def test_a_scene_follows_from_its_number_and_splits_share_none():
    one, again, other = draw_scene(7), draw_scene(7), draw_scene(7, split="test")
    assert np.array_equal(one.azimuths, again.azimuths)
    assert not np.isclose(one.azimuths, other.azimuths).any()
    assert one.facing != draw_scene(7, seed=1).facing


def test_the_same_number_of_another_split_has_another_diffuse_tail():
    ears = Ears(default_listener())
    scene = a_room()
    tails = [
        scene_responses(replace(scene, stream=stream), ears)[0][..., 4000:]
        for stream in ((0, 2), (0, 2), (0, 0), (1, 2))
    ]
    assert torch.equal(tails[0], tails[1])
    for other in tails[2:]:
        assert abs(torch.corrcoef(torch.stack([tails[0], other]).flatten(1))[0, 1]) < 0.1


def test_sources_are_on_no_grid_of_the_measurement():
    azimuths = np.linspace(-179.5, 179.5, 73)
    scene = Scene(0, None, np.ones((6, 7)), np.zeros(3), 0.0, azimuths, np.ones(73))
    responses, directions = scene_responses(scene, Ears(kemar()))
    heard = azimuth_of(directions.numpy())
    assert np.abs((heard - azimuths + 180) % 360 - 180).max() <= 0.51
    # Where the delay between the ears grows with the azimuth, it does so between measured directions too.
    at = np.abs(azimuths) < 45
    left, right = torch.fft.rfft(responses[at].double(), 16_000).unbind(1)
    fine = torch.fft.irfft(left * right.conj(), 16 * 16_000)
    lags = (fine.argmax(1) + 16 * 8_000) % (16 * 16_000) - 16 * 8_000
    assert (lags.diff() <= 0).all()
    assert lags.unique().numel() > 15


def test_rooms_have_the_times_that_people_live_with_and_sources_stand_inside():
    scenes = [draw_scene(number) for number in range(200)]
    rooms = [scene for scene in scenes if scene.size is not None]
    assert 0.75 < len(rooms) / 200 < 0.95
    times = np.array([scene.rt60[3] for scene in rooms])
    assert (times < 0.3).mean() > 0.15
    assert (times > 0.7).mean() > 0.15
    for scene in rooms:
        angles = np.radians(scene.azimuths)
        around = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
        places = source_places(scene, around)
        assert ((places > 0) & (places < scene.size)).all()


def test_images_are_pyroomacoustics_images():
    pyroomacoustics = pytest.importorskip("pyroomacoustics")
    scene = a_room()
    radians = np.radians(scene.azimuths)
    around = np.stack([np.cos(radians), np.sin(radians), 0 * radians], axis=1)
    place = source_places(scene, around)[:1]
    _, offsets, walls = images(scene, place, np.array([12.0]))
    room = pyroomacoustics.ShoeBox(
        scene.size,
        materials=pyroomacoustics.Material(0.2),
        max_order=int(walls.sum(1).max()) + 1,
        air_absorption=False,
    )
    room.add_source(place[0])
    room.add_microphone(scene.place)
    room.image_source_model()
    theirs = room.sources[0].images.T - scene.place
    near = np.linalg.norm(theirs, axis=1) < 12
    direct = np.linalg.norm(theirs - (place[0] - scene.place), axis=1) < 1e-3
    mine = offsets[np.lexsort(offsets.round(3).T)]
    reference = theirs[near & ~direct]
    reference = reference[np.lexsort(reference.round(3).T)]
    assert len(mine) == len(reference)
    assert np.abs(mine - reference).max() < 1e-3
    # How often each wall was met, by which its absorption counts.
    order = np.asarray(room.sources[0].orders)[near & ~direct]
    assert sorted(walls.sum(1)) == sorted(order)


@pytest.mark.parametrize("band", [2, 3, 4])
def test_the_tail_decays_as_fast_as_the_room_says(band):
    # White sound through a listener that hears everything alike; one octave band of the decay.
    from scipy.signal import butter, sosfiltfilt

    size, absorption = np.array([7.0, 5.0, 3.0]), np.full((6, 7), 0.28)
    scene = Scene(3, size, absorption, np.array([3.0, 2.2, 1.4]), 30.0, *_around(16))
    responses, _ = scene_responses(scene, Ears(kemar()))
    centre = 125 * 2**band
    sos = butter(3, [centre / 2**0.5, centre * 2**0.5], "bandpass", fs=16_000, output="sos")
    power = (sosfiltfilt(sos, responses.double().numpy()) ** 2).sum(axis=(0, 1))
    level = 10 * np.log10(power[::-1].cumsum()[::-1])
    start = int(16 * (1000 * mixing_time(size) + 10))
    fitted = np.arange(start, start + 2400)
    slope = np.polyfit(fitted / 16_000, level[fitted], 1)[0]
    assert -60 / slope == pytest.approx(reverberation_time(size, absorption)[band], rel=0.05)


def _around(count):
    return np.linspace(-180, 180, count, endpoint=False), np.full(count, 1.5)


def test_in_the_open_air_a_response_is_the_listeners_own():
    listener = default_listener()
    azimuths = np.arange(-180, 180, 45.0)
    scene = Scene(0, None, np.ones((6, 7)), np.zeros(3), 0.0, azimuths, np.ones(8))
    responses, directions = scene_responses(scene, Ears(listener))
    index = listener.nearest(directions.numpy())
    own = listener.responses[index]
    ratio = responses[..., :160].double().numpy() / np.where(own == 0, np.inf, own)
    assert np.ptp(ratio[np.abs(own) > 1e-3]) < 1e-3 * abs(ratio).max()


def test_a_clip_follows_from_its_index_alone(bank):
    made = clips(bank)
    alone = made.take(torch.tensor([13])).inputs[0]
    among = made.take(torch.tensor([2, 13, 20])).inputs[1]
    torch.testing.assert_close(alone, among)
    assert made.sound_ids[int(made.take(torch.tensor([13])).sounds)] == CORPUS.ids[13 // 6]


def test_mirrored_ears_are_left_for_right_and_for_training_only(bank):
    index = torch.arange(24)
    plainly, mirrored = (
        clips(bank, plain()).take(index),
        clips(bank, plain(mirrored=True)).take(index),
    )
    sign = mirrored.targets["direction"][:, 1] / plainly.targets["direction"][:, 1]
    turned = sign < 0
    assert 0 < turned.sum() < 24
    torch.testing.assert_close(mirrored.inputs[turned], plainly.inputs[turned].flip(1))
    torch.testing.assert_close(mirrored.inputs[~turned], plainly.inputs[~turned])
    tested = clips(bank, plain(mirrored=True), "test").take(index)
    torch.testing.assert_close(tested.inputs, clips(bank, plain(), "test").take(index).inputs)


def test_noise_has_the_ratio_of_the_span(bank):
    index = torch.arange(24)
    clean = clips(bank, plain()).take(index).inputs
    noisy = clips(bank, plain(snr_span=(5.0, 15.0))).take(index).inputs
    power = clean.square().mean((1, 2)) / (noisy - clean).square().mean((1, 2))
    ratio = 10 * power.log10()
    assert ratio.min() > 4.5
    assert ratio.max() < 15.5
    assert ratio.std() > 1


def test_running_sound_is_there_from_the_first_sample(bank):
    index = torch.arange(24)
    ahead = [clips(bank, plain(running=share)).take(index).inputs[..., :20] for share in (0.0, 1.0)]
    assert ahead[0].abs().max() < 5e-3 * ahead[1].abs().max()


def test_colours_have_their_spread_and_the_common_one_is_the_same_at_both_ears(bank):
    made = clips(bank, plain(colour_db=4.0))
    decibels = 20 * made._colours(torch.arange(400), 4001).log10()
    assert torch.equal(decibels[:, 0], decibels[:, 1])
    assert decibels[:, 0].std(dim=0).mean() == pytest.approx(4, rel=0.1)
    own = 20 * clips(bank, plain(ear_colour_db=1.0))._colours(torch.arange(400), 4001).log10()
    assert own.std(dim=0).mean() == pytest.approx(1, rel=0.1)
    assert abs(torch.corrcoef(own[:, :, 1000].T)[0, 1]) < 0.2


def test_levels_have_their_spread_and_ears_differ_by_the_mismatch(bank):
    made = clips(bank, plain(level_db=6.0, mismatch_db=0.7))
    decibels = 20 * made._colours(torch.arange(2000), 9).log10()
    torch.testing.assert_close(decibels, decibels[..., :1].expand_as(decibels))
    level = decibels[..., 0].mean(1)
    assert level.std() == pytest.approx(6, rel=0.1)
    assert (decibels[:, 0, 0] - decibels[:, 1, 0]).std() == pytest.approx(0.7 * 2**0.5, rel=0.1)


def test_data_of_scenes_has_three_splits_and_a_digest_of_all_that_decides_them():
    environment = Environment("few", scenes=SMALL, condition=WILD)
    condition = Condition(listeners=(0, 1))
    data = SceneData(environment=environment, size=SIZE, condition=condition)
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [15, 6, 8]
    batch = data.split("test").take(torch.arange(8))
    torch.testing.assert_close(batch.targets["direction"].norm(dim=1), torch.ones(8))
    others = [
        SceneData(environment=environment, size=SIZE, condition=WILD),
        SceneData(environment=wild(), size=SIZE, condition=condition),
        SceneData(
            environment=environment,
            size=SIZE,
            condition=condition,
            listeners=dict.fromkeys(("train", "validation", "test"), (virtual_listener(5),)),
        ),
    ]
    assert len({data.digest, *(other.digest for other in others)}) == 4


def test_without_rooms_the_same_sources_are_heard_by_the_same_ears_and_nothing_else(bank):
    open_air = make_bank([default_listener()], split="train", scenes=6, sources=4, open_air=True)
    assert torch.equal(open_air.directions, bank.directions)
    assert not open_air.rooms.any()
    assert bank.rooms.any()
    assert not open_air.responses[..., 300:].any()
    ears = Ears(default_listener())
    direct = ears.responses[ears.nearest(open_air.directions)].half()
    assert torch.equal(open_air.responses[..., : direct.shape[-1]], direct)


def test_what_scenes_or_plain_rooms_cannot_have_is_said():
    with pytest.raises(DataError, match="cannot be heard with"):
        SceneData(environment=wild(), size=SIZE, condition=Condition(snr_db=(10.0,)))
    with pytest.raises(DataError, match="Use --env wild"):
        RenderedData(environment=ri(), size=SIZE, condition=Condition(running=0.5))
