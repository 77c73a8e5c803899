import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastzoo.acoustics.listeners.description import describe_listener
from bastzoo.acoustics.listeners.listener import KEMAR, LEAD, kemar, read_sofa
from bastzoo.errors import DataError
from tests.acoustics.conftest import SofaWriter, horizontal, toy_responses, toy_sofa


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change what sofar would not write."""
    with h5py.File(path, "r+") as file:
        change(file)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_a_file_of_any_rate_gives_the_same_delays(write_sofa: SofaWriter, rate: int) -> None:
    listener = read_sofa(write_sofa(rate=rate))
    left, front, right = listener.responses[listener.nearest(horizontal(90, 0, -90))]
    assert listener.responses.shape == (36, 2, 160)
    assert abs(int(left[0].argmax()) - LEAD) <= 2
    for near, far in ((left[0], left[1]), (right[1], right[0])):
        assert abs(int(far.argmax()) - int(near.argmax()) - 0.0006 * 16_000) <= 1
    np.testing.assert_allclose(front[0], front[1], atol=1e-6)
    # The gain at low frequencies does not depend on the rate either; the file's own gain is levelled.
    np.testing.assert_allclose(left[0].sum() / left[1].sum(), 4.0, rtol=0.02)
    np.testing.assert_allclose(left[0].sum(), 2.17, rtol=0.02)


def test_delays_kept_apart_from_the_responses_count(write_sofa: SofaWriter) -> None:
    plain = read_sofa(write_sofa())
    shifted = np.tile([12.0, 0.0], (36, 1))
    later = read_sofa(write_sofa(Data_Delay=shifted))
    front = plain.nearest(horizontal(0))[0]
    assert later.responses[front, 0].argmax() - later.responses[front, 1].argmax() == 4


def test_cartesian_positions_and_receivers_in_reverse_are_understood(
    write_sofa: SofaWriter,
) -> None:
    plain = read_sofa(write_sofa())
    cartesian = read_sofa(
        write_sofa(
            SourcePosition=1.2 * horizontal(*range(0, 360, 10)),
            SourcePosition_Type="cartesian",
            SourcePosition_Units="metre",
        )
    )
    np.testing.assert_allclose(cartesian.directions, plain.directions, atol=1e-12)
    mirrored = plain.nearest(plain.directions * [1, -1, 1])
    mislabelled = read_sofa(write_sofa(ReceiverPosition=RIGHT_FIRST))
    # Its responses hear the left in channel 0: the receivers of many published files say otherwise.
    np.testing.assert_array_equal(mislabelled.responses, plain.responses)
    assert "they decide" in mislabelled.notes[0]
    truly = read_sofa(write_sofa(ReceiverPosition=RIGHT_FIRST, SourcePosition=CLOCKWISE))
    nearest = truly.nearest(plain.directions)
    np.testing.assert_array_equal(truly.responses[nearest], plain.responses[mirrored][:, ::-1])
    assert truly.notes == ()


def test_a_clockwise_file_is_turned_when_asked_and_named_otherwise(write_sofa: SofaWriter) -> None:
    plain = read_sofa(write_sofa())
    path = write_sofa(SourcePosition=CLOCKWISE)
    with pytest.raises(DataError, match="--azimuth-direction clockwise turns"):
        read_sofa(path)
    turned = read_sofa(path, azimuths="clockwise")
    np.testing.assert_allclose(turned.directions, plain.directions, atol=1e-12)
    np.testing.assert_array_equal(turned.responses, plain.responses)
    with pytest.raises(DataError, match="--azimuth-direction counter-clockwise turns"):
        read_sofa(write_sofa(), azimuths="clockwise")


def test_single_precision_is_near_enough(write_sofa: SofaWriter) -> None:
    positions = np.array(PLAIN)
    positions[::9, 1] = np.float32(-90.0000076)
    listener = read_sofa(write_sofa(SourcePosition=positions))
    np.testing.assert_allclose(listener.directions[0], [0, 0, -1], atol=1e-12)


@pytest.mark.parametrize("gain", [1e-3, 0.03, 200.0])
def test_the_gain_of_a_file_means_nothing(write_sofa: SofaWriter, gain: float) -> None:
    plain = read_sofa(write_sofa())
    scaled = read_sofa(write_sofa(Data_IR=gain * toy_responses()))
    # Steps of 0.01 dB.
    np.testing.assert_allclose(scaled.responses, plain.responses, rtol=1.2e-3, atol=1e-6)
    energies = [np.square(one.responses).sum(-1).mean() for one in (scaled, kemar())]
    assert abs(10 * np.log10(energies[0] / energies[1])) < 0.01


def test_kemar_read_as_a_file_is_kemar_to_the_last_bit() -> None:
    assert read_sofa(KEMAR).digest == kemar().digest


@pytest.mark.parametrize(
    ("rate", "said"),
    [(44_100, False), (48_828.125, False), (97_656.25, False), (44_100.5, True), (96_000, False)],
)
def test_rates_that_no_converter_has_are_said(
    write_sofa: SofaWriter, rate: float, said: bool
) -> None:
    assert bool(read_sofa(write_sofa(rate=rate)).notes) == said


def test_a_rate_for_each_measurement_is_one_when_all_are_equal(write_sofa: SofaWriter) -> None:
    path = write_sofa()

    def repeat(file: Any, last: float) -> None:
        del file["Data.SamplingRate"]
        file["Data.SamplingRate"] = np.r_[np.full(35, 48_000.0), last]

    plain = read_sofa(path)
    edit(path, lambda file: repeat(file, 48_000.0))
    np.testing.assert_array_equal(read_sofa(path).responses, plain.responses)
    edit(path, lambda file: repeat(file, 44_100.0))
    with pytest.raises(DataError, match="sampling rates from 44100 to 48000"):
        read_sofa(path)


@pytest.mark.parametrize("version", ["0.3", "0.4", "7.1"])
def test_old_versions_of_the_convention_are_read_without_a_word(
    write_sofa: SofaWriter, version: str
) -> None:
    path = write_sofa()
    edit(path, lambda file: file.attrs.__setitem__("SOFAConventionsVersion", np.bytes_(version)))
    assert read_sofa(path).notes == ()  # and no warning, which pytest makes an error


def test_a_room_that_is_only_called_one_is_said(write_sofa: SofaWriter) -> None:
    path = write_sofa()
    edit(path, lambda file: file.attrs.__setitem__("RoomType", np.bytes_("reverberant")))
    assert "no reflections come after 10 ms" in read_sofa(path).notes[0]


def test_what_a_listener_s_file_holds_is_told(write_sofa: SofaWriter) -> None:
    told = describe_listener(write_sofa())
    assert told["directions"] == 36
    assert told["gaps"]["horizontal plane"] == "5.0°"
    assert told["sample_rate"] == "48,000 Hz"
    assert told["distances"] == "1.2 m"
    assert told["largest_interaural_delay"] == "583 µs"
    assert told["after_10_ms"] == "nothing"


AZIMUTHS = np.arange(0, 360, 10.0)
PLAIN = np.stack([AZIMUTHS, 0 * AZIMUTHS, 0 * AZIMUTHS + 1.2], axis=-1)
CLOCKWISE = PLAIN * [-1, 1, 1] % 360
GAINS = np.abs(toy_responses()).max(-1)
RIGHT_FIRST = np.array([[0, -0.09, 0], [0, 0.09, 0.0]])
NAN_ONCE = np.where(np.arange(36 * 2 * 256).reshape(36, 2, 256) == 5_000, np.nan, 0.5)
HALL = np.pad(toy_responses(), ((0, 0), (0, 0), (0, 1_744))) + 0.01 * np.cos(
    np.arange(36 * 2 * 2_000).reshape(36, 2, 2_000) ** 2
)

BAD = {
    "ears are exchanged; --azimuth-direction clockwise": {"SourcePosition": CLOCKWISE},
    "no source more than 30 degrees": {
        "SourcePosition": np.stack([np.zeros(36), np.linspace(-40, 90, 36), np.full(36, 1.2)], -1)
    },
    "belong to different ears": {
        "Data_Delay": np.stack([60 * np.sin(np.radians(AZIMUTHS)) + 60, np.full(36, 60.0)], axis=-1)
    },
    "same level and time": {"Data_IR": np.tile(toy_responses()[:, :1], (1, 2, 1))},
    "same time from the sides": {"Data_IR": np.roll(np.eye(256)[:1], 9) * GAINS[..., None]},
    "as if its positions were in radians": {"SourcePosition": np.radians(PLAIN)},
    "elevation 350 degrees": {
        "SourcePosition": np.stack([np.zeros(36), AZIMUTHS, np.full(36, 1.2)], -1)
    },
    "infinite or NaN": {"Data_IR": NAN_ONCE},
    "silent ear in row 3": {"Data_IR": np.eye(256)[None, :2] * (np.arange(36) != 3)[:, None, None]},
    "onsets .* ms apart": {"Data_Delay": np.arange(72.0).reshape(36, 2) * 100},
    "reach 5e.299": {"Data_IR": 1e300 * toy_responses() / toy_responses().max() / 2},
    "reach 1e-300": {"Data_IR": 1e-300 * toy_responses() / toy_responses().max()},
    "a delay of 1e.09 samples": {"Data_Delay": np.full((1, 2), 1e9)},
    "rate of 999983 hertz": {"Data_SamplingRate": 999_983},
    "0.5 to 1.2 m away": {"SourcePosition": PLAIN - [[0, 0, 0.7]] * (AZIMUTHS > 90)[:, None]},
    "one direction": {"SourcePosition": PLAIN[:1], "Data_IR": toy_responses()[:1]},
    "claims free field and holds a room": {"Data_IR": HALL},
    "turns its listener": {
        "ListenerView": np.tile([1.0, 0, 0], (36, 1)) + [[0, 1, 0]] * (np.arange(36) > 3)[:, None]
    },
}


@pytest.mark.parametrize("reason", BAD)
def test_a_listener_that_cannot_be_is_refused_with_file_and_reason(
    write_sofa: SofaWriter, reason: str
) -> None:
    path = write_sofa(**BAD[reason])
    with pytest.raises(DataError, match=reason) as caught:
        read_sofa(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("convention", "why"),
    [
        ("GeneralTF", "spectra in the place of impulse responses"),
        ("FreeFieldHRIR", "responses belong to emitters"),
        ("MultiSpeakerBRIR", "holds a room: name it as an environment"),
        ("x" * 60_000, "of free-field head-related"),
    ],
)
def test_another_convention_is_named(write_sofa: SofaWriter, convention: str, why: str) -> None:
    path = write_sofa()
    edit(path, lambda file: file.attrs.__setitem__("SOFAConventions", np.bytes_(convention)))
    with pytest.raises(
        DataError, match=f"{convention[:20]}.*, not SimpleFreeFieldHRIR.* {why}"
    ) as caught:
        read_sofa(path)
    assert len(str(caught.value)) < 500 + len(str(path))


def _contains_itself(file: Any) -> None:
    file.create_group("deep")["deeper"] = file["/"]
    del file["Data.IR"]
    file["Data.IR"] = file["/"]


def _claims_much(file: Any) -> None:
    del file["Data.IR"]
    file.create_dataset("Data.IR", (2**18, 2, 2**18), "f8", chunks=(64, 2, 64))


def _links(target: Callable[[Any], Any]) -> Callable[[Any], None]:
    def edited(file: Any) -> None:
        del file["Data.IR"]
        file["Data.IR"] = target(h5py)

    return edited


HOSTILE = {
    "a group in the place of Data.IR": _contains_itself,
    "more than the": _claims_much,
    "keeps its Data.IR elsewhere": _links(lambda h: h.ExternalLink("other.sofa", "Data.IR")),
    "keeps its Data.IR else.here": _links(lambda h: h.SoftLink("/Data.Delay")),
    "no array of real numbers": lambda file: (
        file.__delitem__("Data.IR"),
        file.create_dataset("Data.IR", (36, 2, 4), dtype=h5py.string_dtype()),
    ),
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_a_hostile_file_is_refused_before_it_costs_anything(
    write_sofa: SofaWriter, reason: str
) -> None:
    path = write_sofa()
    edit(path, HOSTILE[reason])
    with pytest.raises(DataError, match=reason):
        read_sofa(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sofa")
    with pytest.raises(DataError, match=r"pipe\.sofa is not a file"):
        read_sofa(tmp_path / "pipe.sofa")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.sofa is not a file"):
        read_sofa(tmp_path / "nowhere.sofa")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=400), st.integers(1, KEMAR.stat().st_size - 1)))
def test_damaged_files_raise_only_data_errors(tmp_path: Path, damage: bytes | int) -> None:
    path = tmp_path / "damaged.sofa"
    path.write_bytes(KEMAR.read_bytes()[:damage] if isinstance(damage, int) else damage)
    with pytest.raises(DataError, match=r"damaged\.sofa"):
        read_sofa(path)


@pytest.fixture(scope="module")
def sofa_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return toy_sofa(tmp_path_factory.mktemp("sofa") / "listener.sofa").read_bytes()


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    tmp_path: Path, sofa_bytes: bytes, data: st.DataObject
) -> None:
    content = bytearray(sofa_bytes)
    for _ in range(data.draw(st.integers(1, 8))):
        # HDF5 keeps most of its structure in front.
        end = data.draw(st.sampled_from([4_000, len(content)]))
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    # A file of its own: HDF5 keeps what it could not open to the end, and locks it.
    path = tmp_path / f"{uuid4()}.sofa"
    path.write_bytes(content)
    try:
        listener = read_sofa(path)
    except DataError:
        return
    assert np.isfinite(listener.responses).all()
