"""Single files: what is read, and the phrase for everything that is not."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastzoo.data.recorded.files import LARGEST_ARRAY, decode_wave, read_array, read_wave
from bastzoo.errors import DataError
from tests.data.recorded.made import array, samples, write_wave


def wave_bytes(content: np.ndarray, rate: int = 16_000, kind: str = "PCM_16") -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, content, rate, subtype=kind, format="WAV")
    return file.getvalue()


GOOD = wave_bytes(samples(0))


def test_samples_come_as_they_were_written(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "clip.wav", samples(1))
    np.testing.assert_array_equal(read_wave(path), samples(1))


def test_other_chunks_an_extensible_header_and_an_unknown_size_are_read() -> None:
    data = samples(0).tobytes()
    fmt = struct.pack("<HHIIHH", 1, 2, 16_000, 64_000, 4, 16)
    extensible = struct.pack("<HHIIHH", 0xFFFE, 2, 16_000, 64_000, 4, 16)
    extensible += struct.pack("<HHI", 22, 16, 3) + struct.pack("<H", 1) + bytes(14)

    def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
        body = b""
        for tag, content in chunks:
            length = len(content) if size is None or tag != b"data" else size
            body += tag + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)
        return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body

    for file in (
        riff((b"LIST", b"odd"), (b"fmt ", fmt), (b"fact", bytes(4)), (b"data", data)),
        riff((b"fmt ", extensible), (b"data", data)),
        riff((b"fmt ", fmt), (b"data", data), size=0xFFFFFFFF),
        riff((b"fmt ", fmt), (b"data", data), size=0),
        riff((b"fmt ", fmt), (b"data", data), (b"LIST", b"behind")),
    ):
        np.testing.assert_array_equal(decode_wave(file), samples(0))


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        (wave_bytes(samples(0, channels=1)), "1 channel; give two, left ear first"),
        (wave_bytes(samples(0, channels=5)), "5 channels; give two"),
        (wave_bytes(samples(0), rate=44_100), "44100 Hz; resample it to 16000"),
        (wave_bytes(samples(0), kind="PCM_24"), "24-bit samples; save it with 16 bits"),
        (wave_bytes(samples(0), kind="FLOAT"), "floating-point samples; save it as 16-bit PCM"),
        (wave_bytes(samples(0), kind="ULAW"), "mu-law samples"),
        (wave_bytes(samples(0, count=7_999)), "7999 samples instead of 8000; --fit-length"),
        (wave_bytes(samples(0, count=16_000)), "16000 samples instead of 8000"),
        (wave_bytes(samples(0, count=0)), "no sample at all"),
        (GOOD[:20_000], "cut short: its header promises 8000 samples, and it has 4989"),
        (GOOD[:30], "header is cut short"),
        (GOOD[:44], "cut short"),
        (b"", "is empty"),
        (b"OggS" + bytes(100), "no WAV file"),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(100), "no WAV file"),
    ],
)
def test_what_is_wrong_with_a_wave_is_said(data: bytes, phrase: str) -> None:
    with pytest.raises(DataError, match=phrase):
        decode_wave(data)


def test_a_recording_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "day.wav"
    with path.open("wb") as file:
        file.write(GOOD)
        file.truncate(3 * 2**30)  # takes no room on the disk
    tracemalloc.start()
    with pytest.raises(DataError, match="3,072 MiB are too large for one clip"):
        read_wave(path, fit=True)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("count", [1, 7_999, 8_000, 8_001, 20_000])
def test_clips_are_padded_or_cut_on_request(count: int) -> None:
    found = decode_wave(wave_bytes(samples(0, count=count)), fit=True)
    assert found.shape == (8_000, 2)
    np.testing.assert_array_equal(found[:count], samples(0, count=count)[:8_000])
    assert not found[count:].any()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_a_mutated_wave_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(GOOD[: data.draw(st.sampled_from([60, 400, len(GOOD)]))])
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, min(59, len(content) - 1)))] = data.draw(
            st.integers(0, 255)
        )
    cut = data.draw(st.integers(0, len(content)))
    for file in (bytes(content), bytes(content[:cut]), data.draw(st.binary(max_size=80))):
        try:
            found = decode_wave(file, fit=data.draw(st.booleans()))
        except DataError:
            continue
        assert found.shape == (8_000, 2)
        assert found.dtype == np.int16


def test_arrays_come_as_float32_whatever_they_were(tmp_path: Path) -> None:
    for number, dtype in enumerate((np.float16, np.float32, np.float64, np.int16)):
        path = tmp_path / f"{number}.npy"
        np.save(path, (array(0) * 10).astype(dtype))
        found = read_array(path)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, (array(0) * 10).astype(dtype), rtol=1e-6)
    for number, kind in enumerate((torch.float16, torch.bfloat16, torch.float32, torch.int32)):
        path = tmp_path / f"{number}.pt"
        tensor = (torch.from_numpy(array(0)) * 10).to(kind)
        torch.save(tensor, path)
        np.testing.assert_allclose(read_array(path), tensor.float().numpy(), rtol=1e-6)


class Hostile:
    """Would write a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def _bad_arrays(folder: Path) -> dict[str, tuple[Path, str]]:
    bad: dict[str, tuple[Path, str]] = {}

    def npy(name: str, content: np.ndarray, phrase: str) -> None:
        path = folder / f"{name}.npy"
        np.save(path, content, allow_pickle=True)
        bad[name] = path, phrase

    npy("mono", array(0, (1, 6, 5)), r"shape \[1, 6, 5\]; give \[2, F, T\]")
    npy("flat", array(0, (6, 5)), r"shape \[6, 5\]")
    npy("nothing", array(0, (2, 0, 5)), "holds nothing")
    npy("nan", np.full((2, 6, 5), np.nan), "NaN or infinite")
    npy("too large a number", np.full((2, 6, 5), 1e300), "NaN or infinite")
    npy("complex", array(0).astype(np.complex64), "complex64 values; give real numbers")
    npy("words", np.full((2, 6, 5), "a"), "values; give real numbers")
    npy("objects", np.full((2, 6, 5), None), "Python objects")
    header = io.BytesIO()
    huge = {"descr": "<f8", "fortran_order": False, "shape": (2, 10**6, 10**6)}
    np.lib.format.write_array_header_1_0(header, huge)
    (folder / "huge.npy").write_bytes(header.getvalue() + bytes(64))
    bad["huge"] = folder / "huge.npy", "cut short: its header promises 16,000,000,000,000 bytes"
    (folder / "text.npy").write_text("azimuth")
    bad["text"] = folder / "text.npy", "no .npy file"
    (folder / "empty.npy").write_bytes(b"")
    bad["empty"] = folder / "empty.npy", "no .npy file"
    with (folder / "long.npy").open("wb") as file:
        file.truncate(LARGEST_ARRAY + 1)
    bad["long"] = folder / "long.npy", "64 MiB are too large for one clip"
    bad["absent"] = folder / "absent.npy", "no such file"
    torch.save(torch.zeros(2, 6, 5, device="meta"), folder / "meta.pt")
    bad["meta"] = folder / "meta.pt", "a tensor without values"
    bad["folder"] = folder, "no .npy or .pt file"
    torch.save({"x": torch.zeros(2, 6, 5)}, folder / "dict.pt")
    bad["dict"] = folder / "dict.pt", "holds a dict; save the tensor alone"
    torch.save(Hostile(folder / "touched"), folder / "hostile.pt")
    bad["hostile"] = folder / "hostile.pt", "not read for safety"
    torch.save(torch.zeros(2, 6, 5).to_sparse(), folder / "sparse.pt")
    bad["sparse"] = folder / "sparse.pt", "sparse"
    torch.save(torch.zeros(1).expand(2, 10**4, 10**4), folder / "view.pt")
    bad["view"] = folder / "view.pt", "too large for one clip"
    (folder / "text.pt").write_text("azimuth")
    bad["text.pt"] = folder / "text.pt", "no .pt file|not read for safety"
    return bad


def test_what_is_wrong_with_an_array_is_said(tmp_path: Path) -> None:
    for name, (path, phrase) in _bad_arrays(tmp_path).items():
        with pytest.raises(DataError, match=phrase) as refused:
            read_array(path)
        assert refused.type is DataError, name
    assert not (tmp_path / "touched").exists()


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_mutated_array_is_read_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    suffix = data.draw(st.sampled_from([".npy", ".pt"]))
    path = tmp_path / f"clip{suffix}"
    if suffix == ".npy":
        np.save(path, array(0))
    else:
        torch.save(torch.from_numpy(array(0)), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        found = read_array(path)
    except DataError:
        return
    assert found.ndim == 3
    assert np.isfinite(found).all()


def test_an_archive_that_says_it_is_longer_than_its_file_is_refused(tmp_path: Path) -> None:
    """`zipfile` ends in a bare EOFError there."""
    path = tmp_path / "long.pt"
    torch.save(torch.zeros(2, 3), path)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # the first of the central directory: the pickle
    struct.pack_into("<I", content, entry + 20, 2**30)  # its compressed size
    path.write_bytes(content)
    with pytest.raises(DataError, match="that can be read; save it again"):
        read_array(path)
