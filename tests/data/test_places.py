"""Measured rooms beside made ones, several listeners, and directions that nobody measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.acoustics.listeners.listener import Listener, kemar, virtual_listener
from bastzoo.acoustics.rooms.measured import MeasuredRoom
from bastzoo.acoustics.rooms.shoebox import ANECHOIC
from bastzoo.conditions import Condition, DataSource
from bastzoo.data.environments import Environment, ri01
from bastzoo.data.listeners import SourceListeners, find_listeners
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.data.rendering.digests import data_digest
from bastzoo.data.rendering.places import azimuth_grid, directions_of
from bastzoo.directions import azimuth_of, direction_from_angles
from bastzoo.errors import DataError
from bastzoo.presets import DataSize

SIZE = DataSize(train_sounds=4, validation_sounds=1, test_sounds=3, azimuth_step=90)
FRONT = np.array([-60.0, -55.0, 0.0, 55.0, 60.0])


def measured(name: str = "attic", taps: int = 300) -> MeasuredRoom:
    directions = direction_from_angles(FRONT)
    ears = kemar().responses[kemar().nearest(directions)]
    echo = np.zeros((len(FRONT), 2, taps), np.float32)
    echo[..., :160] = ears
    echo[..., -160:] += 0.3 * ears[:, ::-1]
    return MeasuredRoom(name, directions, echo)


BOTH = Environment("both", (ANECHOIC, measured()))


def test_a_measured_room_is_heard_from_its_own_directions_beside_a_made_one() -> None:
    clips = RenderedData(environment=BOTH, size=SIZE).split("test")
    batch = clips.take(torch.arange(len(clips)))
    assert len(clips) == 3 * (4 + 5)
    assert clips.places_by_room() == {"anechoic": 4, "attic": 5}
    azimuths = np.rint(azimuth_of(batch.targets["direction"].double().numpy()))
    for room, wanted in ((0, azimuth_grid(90)), (1, FRONT)):
        for sound in range(3):
            here = ((batch.rooms == room) & (batch.sounds == sound)).numpy()
            np.testing.assert_array_equal(azimuths[here], wanted)
    assert len(clips.directions_seen()) == 8  # 0 degrees is in both
    # What is heard is the sound through the response that was measured.
    alone = RenderedData(environment=Environment("x", (measured(),)), size=SIZE).split("test")
    one = alone.take(torch.tensor([3]))
    assert torch.equal(one.inputs[0], clips.take(torch.tensor([4 + 3])).inputs[0])
    left, right = one.inputs[0].square().sum(-1)
    assert left > 2 * right


def test_several_sources_of_a_clip_are_in_one_room() -> None:
    clips = RenderedData(environment=BOTH, size=SIZE, condition=Condition(sources=(2,)))
    batch = clips.split("train").take(torch.arange(36))
    azimuths = np.rint(azimuth_of(batch.targets["directions"].double().numpy()))
    for room, grid in ((0, azimuth_grid(90)), (1, FRONT)):
        here = azimuths[(batch.rooms == room).numpy()]
        assert np.isin(here, grid).all()
        assert (here[:, 0] != here[:, 1]).all()


def test_noise_in_a_measured_room_is_that_of_its_ears() -> None:
    condition = Condition(snr_db=(0.0,))
    clips = RenderedData(environment=BOTH, size=SIZE, condition=condition).split("test")
    batch = clips.take(torch.arange(len(clips)))
    clean = RenderedData(environment=BOTH, size=SIZE).split("test")
    noise = batch.inputs - clean.take(torch.arange(len(clips))).inputs
    ratio = noise.square().mean((1, 2)) / (batch.inputs - noise).square().mean((1, 2))
    torch.testing.assert_close(ratio, torch.ones(len(clips)), rtol=1e-3, atol=0)


def test_a_measured_room_has_no_other_directions() -> None:
    data = RenderedData(environment=BOTH, size=SIZE, condition=Condition(directions="between"))
    with pytest.raises(DataError, match=r"attic is measured.* none that are off the grid"):
        data.split("test")


def test_every_sound_is_heard_with_each_listener_of_its_split() -> None:
    train, test = (kemar(), virtual_listener(3)), (virtual_listener(5),)
    data = RenderedData(
        environment=ri01(),
        size=SIZE,
        listeners={"train": train, "validation": train, "test": test},
    )
    assert len(data.split("train")) == 4 * 2 * 4
    assert len(data.split("test")) == 3 * 4
    alone = RenderedData(environment=ri01(), size=SIZE, listener=test[0]).split("test")
    every = torch.arange(12)
    assert torch.equal(data.split("test").take(every).inputs, alone.take(every).inputs)
    alone = RenderedData(environment=ri01(), size=SIZE, listener=train[1]).split("train")
    second = torch.arange(4) + 4
    got = data.split("train").take(second).inputs
    assert torch.equal(got, alone.take(torch.arange(4)).inputs)


def test_digests_tell_listeners_and_measured_rooms_apart() -> None:
    one, two = kemar().digest, virtual_listener(3).digest
    plain = data_digest(ri01(), SIZE, listener=one)
    same = {"train": [one], "validation": [one], "test": [one]}
    assert data_digest(ri01(), SIZE, listener=one, listeners=same) == plain
    digests = {
        plain,
        data_digest(ri01(), SIZE, listener=one, listeners={**same, "test": [two]}),
        data_digest(ri01(), SIZE, listener=one, listeners={**same, "train": [one, two]}),
        data_digest(Environment("x", (measured(),)), SIZE, listener=one),
        data_digest(Environment("x", (measured(taps=400),)), SIZE, listener=one),
        data_digest(Environment("x", (measured("cellar"),)), SIZE, listener=one),
    }
    assert len(digests) == 6


def frontal() -> Listener:
    kept = kemar().directions[:, 0] > -0.1
    return Listener("frontal", kemar().directions[kept], kemar().responses[kept])


def test_a_test_from_where_nothing_was_measured_is_refused_and_a_training_said() -> None:
    """A front-only listener would give one clip under nine labels."""
    data = RenderedData(environment=ri01(), size=SIZE, listener=frontal())
    assert len(data.split("train")) == 16
    with pytest.raises(
        DataError, match=r"frontal was measured no closer than 8\d degrees to azimuth 180"
    ):
        data.split("test")
    # In a measured room the listener is not heard.
    attic = Environment("attic", (measured(),))
    assert len(RenderedData(environment=attic, size=SIZE, listener=frontal()).split("test"))


def test_a_hole_in_a_fine_grid_can_be_tested_when_it_is_interpolated() -> None:
    """CIPIC's interaural-polar grid leaves 10 degrees around the ears' axis."""
    kept = np.abs(kemar().directions[:, 1]) < np.cos(np.radians(9))
    polar = Listener("polar", kemar().directions[kept], kemar().responses[kept])
    with pytest.raises(DataError, match="polar was measured no closer than 10"):
        RenderedData(environment=ri01(), size=SIZE, listener=polar).split("test")
    fine = interpolated(polar, directions_of("grid", 90))
    assert len(RenderedData(environment=ri01(), size=SIZE, listener=fine).split("test")) == 12


def test_a_source_names_listeners_and_says_what_is_unusual(tmp_path: object) -> None:
    source = DataSource(listeners=("kemar", "virtual/3"), test_listeners=("default",))
    listeners = SourceListeners(source)
    assert [one.id for one in listeners.of(SIZE)["train"]] == ["kemar", "kemar-virtual-3"]
    assert [one.id for one in listeners.of(SIZE)["test"]] == ["kemar-virtual-0"]
    assert listeners.warnings(ri01(), Condition(), SIZE) == []
    assert "attic: measured with ears of its own" in listeners.warnings(BOTH, Condition(), SIZE)[0]
    assert SourceListeners(DataSource()).warnings(BOTH, Condition(), SIZE) == []
    listeners._found[SIZE.azimuth_step] = {"train": (frontal(),), "test": (kemar(),)}
    (said,) = listeners.warnings(ri01(), Condition(), SIZE)
    assert "not near 1 of 4 directions; training hears the nearest response" in said


@pytest.mark.parametrize(
    "name", ["nobody", "virtual/", "virtual/-1", "virtual/²", "virtual/9999999", "kemar@big"]
)
def test_an_unknown_listener_is_a_sentence(name: str) -> None:
    with pytest.raises(DataError, match="There is no listener"):
        find_listeners(name)


def test_a_measured_listener_of_another_size_has_its_spectrum_along_frequency() -> None:
    (smaller,) = find_listeners("kemar@1.1")
    assert smaller.id == "kemar@1.1"
    front = np.array([1.0, 0.0, 0.0])
    own, other = (
        np.abs(np.fft.rfft(ear.responses[ear.nearest(front), 0], 512)) for ear in (kemar(), smaller)
    )
    bins = np.arange(30, 190)  # 1 to 6 kHz
    moved = np.interp(bins / 1.1, np.arange(257), own)
    assert np.corrcoef(np.log(moved), np.log(other[bins]))[0, 1] > 0.98
    assert np.square(smaller.responses).sum(-1).mean() == pytest.approx(
        np.square(kemar().responses).sum(-1).mean(), rel=0.1
    )
    for name, why in (("kemar@2", "from 0.75 to 1.33"), ("default@1.1", "is not as measured")):
        with pytest.raises(DataError, match=why):
            find_listeners(name)


def test_a_source_without_new_listeners_keeps_its_form() -> None:
    """What is written in older records, and hashed for their identity."""
    assert "listeners" not in DataSource(hrtf="a.sofa").model_dump()
    assert DataSource(hrtf="a.sofa", listeners=("b",)).own_listeners == ("a.sofa", "b")
    again = DataSource.model_validate(DataSource(listeners=("b",)).model_dump(mode="json"))
    assert again.listeners == ("b",)
