"""Machine code is kept between processes; a damaged or full cache of it is never the user's fault."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import float64, void
from numba.core.caching import IndexDataCacheFile

from bastzoo.ops import compilation

_SIGNATURE = void(float64[:])


def _double(values: np.ndarray) -> None:
    for i in range(len(values)):
        values[i] *= 2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    compilation._say_once.cache_clear()
    yield tmp_path
    compilation._say_once.cache_clear()


def compiles() -> bool:
    values = np.ones(3)
    compilation.compiled(_double, _SIGNATURE, "a test")(values)
    return values.tolist() == [2, 2, 2]


@pytest.mark.parametrize("kept", [0, 7, 200])
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_cut_file_of_the_cache_is_written_anew(
    cache: Path, suffix: str, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert compiles()
    (path,) = cache.rglob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:kept])
    assert compiles()
    assert compiles()  # from what was written anew
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert sum("written anew" in words for words in said) <= 1
    assert sum("compiling" in words for words in said) == 2


def test_a_full_disk_is_said_once_and_compiled_around(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    monkeypatch.setattr(IndexDataCacheFile, "_save_index", full)
    assert compiles()
    assert compiles()
    said = [r.getMessage() for r in caplog.records if "cannot be used" in r.getMessage()]
    assert len(said) == 1
    assert "No space left" in said[0]
    assert "NUMBA_CACHE_DIR" in said[0]
