"""Whatever bytes and names strangers give, only the project's own error comes out of the readers."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.csv_index import read_csv_index
from bastzoo.data.recorded.files import decode_wave, read_array, read_wave
from bastzoo.errors import DataError
from tests.data.recorded.made import array, csv_index, samples, write_wave

# BASTZOO_FUZZ=5000 looks longer, and elsewhere each time.
EXAMPLES = int(os.environ.get("BASTZOO_FUZZ", "0"))
FUZZ = settings(max_examples=EXAMPLES or 60, deadline=None, derandomize=not EXAMPLES)


def _seeds() -> dict[str, tuple[str, bytes]]:
    """A whole file of each kind: its ending and its bytes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wave = write_wave(folder / "clip.wav", samples(0)[:200]).read_bytes()
        extensible = write_wave(folder / "wide.wav", samples(0, 50, 5)).read_bytes()
        table = csv_index(folder).read_bytes()
    npy, zipped, legacy = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, array(0))
    torch.save(torch.from_numpy(array(0)), zipped)
    torch.save(torch.from_numpy(array(0)), legacy, _use_new_zipfile_serialization=False)
    return {
        "wave": (".wav", wave),
        "wave of five": (".wav", extensible),
        "csv": (".csv", table),
        "npy": (".npy", npy.getvalue()),
        "pt": (".pt", zipped.getvalue()),
        "pt before torch 1.6": (".pt", legacy.getvalue()),
    }


SEEDS = _seeds()


def _read_clip(path: Path) -> None:
    for fit in (False, True):
        try:
            found = read_wave(path, fit=fit)
        except DataError:
            continue
        assert (found.shape, found.dtype) == ((8_000, 2), np.dtype(np.int16))
        np.testing.assert_array_equal(found, decode_wave(path.read_bytes(), fit=fit))


def _read_features(path: Path) -> None:
    found = read_array(path)
    assert found.dtype == np.float32
    assert found.ndim == 3
    assert found.shape[0] == 2
    assert np.isfinite(found).all()


def _read_table(path: Path) -> None:
    index = read_csv_index(path)
    assert (np.abs(index.azimuth) <= 180).all()
    assert (np.abs(index.elevation) <= 90).all()
    index.digest()


READERS: dict[str, Callable[[Path], None]] = {
    ".wav": _read_clip,
    ".npy": _read_features,
    ".pt": _read_features,
    ".csv": _read_table,
}


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file with bytes changed, put in, taken out, or cut off behind."""
    data = bytearray(content)
    for _ in range(draw(st.integers(0, 6))):
        # What decides how a file is read stands at its beginning.
        last = draw(st.sampled_from([len(data), min(len(data), 200)]))
        place = draw(st.integers(0, max(last - 1, 0)))
        kind = draw(st.sampled_from(["change", "put in", "take out", "largest"]))
        if kind == "change":
            data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "put in":
            data[place:place] = draw(st.binary(max_size=20))
        elif kind == "take out":
            del data[place : place + draw(st.integers(1, 20))]
        else:
            data[place : place + 4] = b"\xff" * 4
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


def _is_read_or_refused(suffix: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, f"clip{suffix}")
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            READERS[suffix](path)


@pytest.mark.parametrize("kind", SEEDS)
@FUZZ
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    suffix, content = SEEDS[kind]
    _is_read_or_refused(suffix, data.draw(damaged(content)))


@pytest.mark.parametrize("suffix", READERS)
@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(suffix: str, content: bytes) -> None:
    _is_read_or_refused(suffix, content)


@FUZZ
@given(header=st.text("{}[]()'\",:<>fiuOVM0123456789-+*jL descrfortran_ordershapeTrueFalse\n"))
def test_any_header_of_an_array_is_read_or_refused(header: str) -> None:
    raw = header.encode()
    _is_read_or_refused(".npy", b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw)


NAMES = st.one_of(
    st.from_regex(r"A[0-9]{3}_?RI0[12](_SNR_?-?[0-9clean.]{1,5})?_?[a-c]{0,2}", fullmatch=True),
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
    ),
)


@FUZZ
@given(
    train=st.lists(NAMES, max_size=8),
    test=st.lists(NAMES, max_size=4),
    sound_id=st.none() | st.text("()[]{}*+?\\d.|ab^$1", max_size=6),
)
def test_any_names_of_files_are_read_or_refused(
    train: list[str], test: list[str], sound_id: str | None
) -> None:
    with tempfile.TemporaryDirectory() as place:
        for part, names in (("train", train), ("test", test)):
            Path(place, part).mkdir()
            for name in names:
                Path(place, part, f"{name}.wav").touch()
        try:
            index = read_bast_folder(place, environment=None, sound_id=sound_id)
        except DataError:
            return
        assert len(index) + len(index.faults) <= len({*train}) + len({*test})
        assert all(index.sound_ids)
        index.digest()
