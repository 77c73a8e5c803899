"""Measured rooms: read from WAV and SOFA alike, their own directions, levelled and aligned."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import soundfile

from bastzoo.acoustics.listeners.listener import KEMAR_DB, LEAD
from bastzoo.acoustics.rooms.measured import MeasuredRoom, read_room
from bastzoo.acoustics.sofa.ears import onsets
from bastzoo.directions import azimuth_of
from bastzoo.errors import DataError
from tests.acoustics.conftest import SofaWriter, horizontal, toy_responses

RATE = 48_000
AZIMUTHS = np.arange(-90, 91, 30)


def reverberant(rate: int = RATE) -> np.ndarray:
    """Toy responses [7, 2, N] from `AZIMUTHS` with a tail that falls by 60 dB in 0.3 s."""
    direct = toy_responses(rate)[AZIMUTHS // 10 % 36]
    time = np.arange(int(0.2 * rate)) / rate
    tail = np.sin(1e5 * np.arange(1, 15)[:, None] * np.sqrt(1 + time)).reshape(7, 2, -1)
    responses = 0.003 * tail * 10 ** (-3 * time / 0.3)
    responses[..., : int(0.006 * rate)] = 0.0
    responses[..., : direct.shape[-1]] += direct
    return responses


def interaural_delays(room: MeasuredRoom) -> np.ndarray:
    """Seconds [A] by which the left ear leads, from the cross-correlation of direct sound."""
    spectra = np.fft.rfft(room.responses[..., :60], 128)
    across = np.fft.irfft(spectra[:, 1] * spectra[:, 0].conj(), 128 * 16)
    lags = across.argmax(-1)
    return np.where(lags < 1_024, lags, lags - 2_048) / 16 / 16_000


def write_folder(folder: Path, responses: np.ndarray, azimuths: Any, rate: int = RATE) -> Path:
    folder.mkdir()
    for azimuth, response in zip(azimuths, responses, strict=True):
        soundfile.write(folder / f"BRIR_0_32s_{azimuth}deg_16k.wav", response.T, rate, "FLOAT")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "hall", reverberant(), AZIMUTHS)


def test_azimuths_are_read_from_names_and_the_file_s_gain_and_delay_mean_nothing(
    folder: Path, tmp_path: Path
) -> None:
    room = read_room(folder)
    assert room.name == "hall"
    np.testing.assert_allclose(np.sort(azimuth_of(room.directions)), AZIMUTHS, atol=1e-9)
    assert abs(float(onsets(room.responses).min()) - LEAD) < 2  # the band limit rings before it
    direct = room.responses[..., : LEAD + 50]
    energy = np.square(direct, dtype=np.float64).sum(-1).mean()
    assert 10 * np.log10(energy) == pytest.approx(KEMAR_DB, abs=0.1)
    later = np.pad(20.0 * reverberant(), ((0, 0), (0, 0), (RATE, 0)))
    moved = read_room(write_folder(tmp_path / "moved", later, AZIMUTHS))
    scale = np.abs(room.responses).max()
    np.testing.assert_allclose(moved.responses, room.responses, atol=2e-3 * scale)


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
def test_any_rate_gives_the_same_room(tmp_path: Path, folder: Path, rate: int) -> None:
    other = read_room(write_folder(tmp_path / "other", reverberant(rate), AZIMUTHS, rate))
    plain = read_room(folder)
    delays = [interaural_delays(room) for room in (plain, other)]
    # The toy's delays are whole samples of either rate.
    np.testing.assert_allclose(delays[1], delays[0], atol=1 / RATE + 1 / rate)
    assert np.ptp(delays[0]) > 0.001
    assert abs(other.responses.shape[-1] - plain.responses.shape[-1]) < 20


def test_names_that_count_clockwise_are_turned_when_asked(tmp_path: Path, folder: Path) -> None:
    clockwise = write_folder(tmp_path / "clockwise", reverberant(), -AZIMUTHS)
    with pytest.raises(DataError, match="--azimuth-direction clockwise turns"):
        read_room(clockwise)
    turned, plain = read_room(clockwise, azimuths="clockwise"), read_room(folder)
    order = [int(np.argmax(turned.directions @ one)) for one in plain.directions]
    np.testing.assert_array_equal(turned.responses[order], plain.responses)


def test_the_same_room_as_sofa_is_the_same(write_sofa: SofaWriter, folder: Path) -> None:
    positions = np.stack([AZIMUTHS % 360, 0 * AZIMUTHS, 0 * AZIMUTHS + 1.5], axis=-1)
    path = write_sofa(Data_IR=reverberant(), SourcePosition=positions.astype(float))
    room, plain = read_room(path, name="hall"), read_room(folder)
    order = [int(np.argmax(plain.directions @ one)) for one in room.directions]
    np.testing.assert_allclose(room.responses, plain.responses[order], atol=1e-6)


def write_room(path: Path, convention: str, variables: dict[str, np.ndarray]) -> Path:
    """A SOFA file of h5py's, for conventions in whose optional shapes sofar differs by version."""
    with h5py.File(path, "w") as file:
        file.attrs["SOFAConventions"] = np.bytes_(convention)
        file.attrs["ListenerShortName"] = "dummy"
        file["Data.SamplingRate"] = float(RATE)
        for name, value in variables.items():
            file[name] = value
            file[name].attrs["Type"] = "cartesian"
            file[name].attrs["Units"] = "metre"
    return path


def turned(azimuth: np.ndarray) -> np.ndarray:
    """What a listener looking to `azimuth` sees of a source at 0: the other way round."""
    return horizontal(*(-azimuth))


ROOMS = {
    # One source, and a listener who turns away from it.
    "SingleRoomSRIR": {
        "Data.IR": reverberant(),
        "ListenerPosition": np.array([[2.0, 1.0, 1.5]]),
        "ListenerView": turned(AZIMUTHS),
        "ListenerUp": np.array([[0.0, 0.0, 1.0]]),
        "SourcePosition": np.array([[4.0, 1.0, 1.5]]),
    },
    # A ring of loudspeakers.
    "MultiSpeakerBRIR": {
        "Data.IR": reverberant().transpose(1, 0, 2)[None],
        "Data.Delay": np.tile(np.array([7.0, 7.0])[None, :, None], (1, 1, 7)),
        "ListenerPosition": np.zeros((1, 3)),
        "SourcePosition": np.zeros((1, 3)),
        "EmitterPosition": 2.0 * horizontal(*AZIMUTHS)[..., None],
    },
}


@pytest.mark.parametrize("convention", ROOMS)
def test_directions_are_those_around_the_head(
    tmp_path: Path, folder: Path, convention: str
) -> None:
    room = read_room(write_room(tmp_path / "room.sofa", convention, ROOMS[convention]))
    assert room.listener == "dummy"
    np.testing.assert_allclose(room.directions, horizontal(*AZIMUTHS), atol=1e-9)
    plain = read_room(folder)
    order = [int(np.argmax(plain.directions @ one)) for one in room.directions]
    np.testing.assert_allclose(room.responses, plain.responses[order], atol=1e-6)


def broken(**changes: np.ndarray) -> Callable[[Path], Path]:
    return lambda path: write_room(path, "SingleRoomSRIR", {**ROOMS["SingleRoomSRIR"], **changes})


BAD = {
    "several places of the listener": broken(ListenerPosition=np.eye(7, 3)),
    "inside the head": broken(SourcePosition=np.array([[2.0, 1.0, 1.5]])),
    "several responses from one direction": broken(ListenerView=turned(AZIMUTHS // 60 * 60)),
    "says not where its listener looks": broken(ListenerUp=np.array([[0.0, 0.0, 0.0]])),
    "a ListenerView of shape": broken(ListenerView=np.ones((3, 3))),
    "infinite or NaN Data.IR": broken(**{"Data.IR": np.full((7, 2, 9), np.nan)}),
    "not .measurements, 2 ears": broken(**{"Data.IR": np.ones((7, 3, 9))}),
    "a delay of 1e.09 samples": broken(**{"Data.Delay": np.full((1, 2), 1e9)}),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_room_that_cannot_be_is_refused_with_file_and_reason(tmp_path: Path, reason: str) -> None:
    path = BAD[reason](tmp_path / "room.sofa")
    with pytest.raises(DataError, match=reason) as caught:
        read_room(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: (f / "B_-30deg.wav").write_bytes(b"RIFF"), "two files for -30"),
        (lambda f: next(f.glob("*_30deg*")).write_bytes(b"RIFF"), "not readable as audio"),
        (lambda f: soundfile.write(f / "x_5deg.wav", np.ones((9, 1)), RATE), "1 channel"),
        (lambda f: soundfile.write(f / "x_5deg.wav", np.ones((9, 2)), 8_000), "mixes rates"),
        (
            lambda f: soundfile.write(f / "x_5deg.wav", np.full((9, 2), np.nan), RATE, "FLOAT"),
            "NaN or infinite",
        ),
        (lambda f: [path.unlink() for path in f.iterdir()], "holds no response"),
        (lambda f: soundfile.write(f / "x_5deg.wav", np.zeros((9, 2)), RATE), "silent ear"),
    ],
)
def test_a_bad_folder_is_refused(folder: Path, change: Callable, reason: str) -> None:
    change(folder)
    with pytest.raises(DataError, match=reason):
        read_room(folder)


def test_a_pipe_in_the_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe_5deg.wav")
    assert len(read_room(folder).directions) == 7


def test_rooms_are_equal_when_their_data_is() -> None:
    one = MeasuredRoom("a", horizontal(0, 90), np.ones((2, 2, 4)))
    same = MeasuredRoom("a", horizontal(0, 90), np.ones((2, 2, 4)))
    other = MeasuredRoom("a", horizontal(0, 90), np.ones((2, 2, 5)))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    with pytest.raises(DataError, match="must be"):
        MeasuredRoom("a", horizontal(0), np.ones((2, 2, 4)))
    with pytest.raises(ValueError, match="read-only"):
        one.responses[0] = 0
