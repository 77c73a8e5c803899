"""What the tests of recorded data share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastzoo.data.recorded import convert as conversion
from tests.data.recorded.made import bast_folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bast_folder(tmp_path_factory.mktemp("clips") / "set")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 8 rows: a folder of 48 files has six."""
    monkeypatch.setattr(conversion, "CHUNK", 8)
    monkeypatch.setattr(conversion, "PART", 8)
    monkeypatch.setattr("bastzoo.data.recorded.cache.PART", 8)
