"""CIPIC's forms are one content, Surrey's names count clockwise, and nothing is there unless fetched."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bastzoo_measured.cipic import AZIMUTHS, ELEVATIONS, cipic, contents
from bastzoo_measured.surrey import ROOMS, surrey
from scipy.io import savemat

from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.data.sets.fetch import fetch
from bastzoo.directions import azimuth_of, direction_from_angles, elevation_of
from bastzoo.errors import DataError, SetupError
from bastzoo.plugins import default_registry
from bastzoo.testing import DatasetSuite, EnvironmentSuite
from tests.acoustics.conftest import toy_responses
from tests.cli.command import bastzoo
from tests.conftest import TINY_PRESET

PLUGIN = {"BASTZOO_LOAD_PLUGINS": "bastzoo-measured"}


class TestCipic(DatasetSuite):
    component = "cipic"


class TestSurrey(DatasetSuite):
    component = "surrey"


class TestTuxpaint(DatasetSuite):
    component = "tuxpaint"


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Lateral angle (right positive) and angle around the ears' axis of each direction, degrees."""
    lateral, around = np.meshgrid(AZIMUTHS, ELEVATIONS, indexing="ij")
    return lateral.ravel(), around.ravel()


def responses() -> np.ndarray:
    """Impulses [1250, 2, 200] with a delay and a level between the ears; each direction its own."""
    lateral, around = grid()
    side = np.sin(np.radians(lateral))
    made = np.zeros((len(side), 2, 200))
    for ear, sign in ((0, 1), (1, -1)):  # channel 0 the left: later for sounds from the right
        delays = np.rint(40 + 12 * sign * side).astype(int)
        made[np.arange(len(side)), ear, delays] = 0.5 - 0.3 * sign * side
        made[np.arange(len(side)), ear, delays + 5] = 0.1 * np.sin(np.radians(around))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One made listener as MATLAB's original file, and converted to SOFA by somebody."""
    import sofar

    folder = tmp_path_factory.mktemp("cipic")
    made = responses()
    ears = {f"hrir_{name}": made[:, ear].reshape(25, 50, 200) for ear, name in enumerate("lr")}
    (folder / "subject_003").mkdir()
    savemat(folder / "subject_003" / "hrir_final.mat", ears)
    lateral, around = np.radians(grid())
    vectors = np.stack(
        [np.cos(lateral) * np.cos(around), -np.sin(lateral), np.cos(lateral) * np.sin(around)], -1
    )
    sofa = sofar.Sofa("SimpleFreeFieldHRIR")
    order = np.random.default_rng(0).permutation(len(made))
    sofa.Data_IR = made[order]
    sofa.Data_SamplingRate = 44_100
    angles = [azimuth_of(vectors) % 360, elevation_of(vectors), np.ones(len(made))]
    sofa.SourcePosition = np.stack(angles, axis=-1)[order]
    sofar.write_sofa(str(folder / "subject_008.sofa"), sofa)
    return folder


def test_the_forms_of_a_listener_have_one_checksum_and_one_sound(
    folder: Path, tmp_path: Path
) -> None:
    original, converted = folder / "subject_003" / "hrir_final.mat", folder / "subject_008.sofa"
    assert contents(original) == contents(converted)
    index = cipic()
    (tmp_path / "subject_003").write_bytes(original.read_bytes())
    (tmp_path / "subject_008").write_bytes(converted.read_bytes())
    one, other = (index.read(tmp_path, member) for member in ("003", "008"))
    assert (one.id, other.id) == ("cipic/003", "cipic/008")
    nearest = other.nearest(one.directions)
    np.testing.assert_allclose(other.directions[nearest], one.directions, atol=1e-9)
    loudest = np.abs(one.responses).max()
    same = np.abs(other.responses[nearest] - one.responses).max(axis=(1, 2)) < 1e-6 * loudest
    assert same.mean() > 0.95  # at the grid's poles several directions are nearly one
    horizontal = direction_from_angles(np.arange(0.0, 360.0, 5.0))
    assert one.gap(horizontal).max() == pytest.approx(10.0, abs=0.1)
    assert interpolated(one, horizontal).gap(horizontal).max() < 1e-6


def test_the_open_air_is_heard_from_where_a_listener_was_measured(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASTZOO_DATA", str(tmp_path))
    (tmp_path / "cipic").mkdir()
    (tmp_path / "cipic" / "subject_008").write_bytes((folder / "subject_008.sofa").read_bytes())
    (room,) = default_registry().get("environment", "cipic/008").build().rooms
    azimuths = azimuth_of(room.directions)
    # Steps of 10 degrees, without those at the sides that are far from all of CIPIC's.
    np.testing.assert_allclose(azimuths, azimuths.round(-1), atol=1e-6)
    assert set(range(-50, 60, 10)) <= set(azimuths.round().astype(int))
    assert 28 <= len(azimuths) < 36
    energy = np.square(room.responses).sum(-1)
    left = (azimuths > 30) & (azimuths < 150)
    assert (energy[left, 0] > energy[left, 1]).all()
    with pytest.raises(DataError, match=r"009.*bastzoo data fetch cipic"):
        default_registry().get("environment", "cipic/009").build()


def test_a_wrong_listener_is_refused_and_an_unknown_one_said(folder: Path, tmp_path: Path) -> None:
    """003 has a checksum, which this made listener cannot have; 008 has none."""
    found = fetch(cipic(), tmp_path, source=folder)
    assert "has the checksum" in found.refused[0]
    assert found.unchecked == ["subject_008"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["subject_008"]


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"\x89HDF\r\n\x1a\n", b"PK"])
def test_what_is_no_listener_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "subject_003").write_bytes(content)
    with pytest.raises(DataError, match="subject_003"):
        contents(tmp_path / "subject_003")


def test_what_is_known_of_cipic_is_said_honestly() -> None:
    index = cipic()
    assert len(index.members) == len(index.files) == 45
    assert sum(bool(file.sha256) for file in index.files) == 23


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`BASTZOO_DATA` with toy responses in the places of Surrey's files."""
    for room in ROOMS:
        for path in surrey().members[room]:
            place = tmp_path / "surrey" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            azimuth = int(path.rpartition("_")[0].rpartition("_")[2].removesuffix("deg"))
            row = toy_responses(16_000)[-azimuth // 10 % 36]  # + is the right
            row = np.roll(row, azimuth % 10 // 5, axis=-1)
            soundfile.write(place, row.T, 16_000)
    monkeypatch.setenv("BASTZOO_DATA", str(tmp_path))
    return tmp_path


def test_surrey_s_names_count_clockwise(home: Path) -> None:
    room = default_registry().get("environment", "surrey/d").build().rooms[0]
    assert room.name == "surrey/D"
    assert room.responses.shape[:2] == (37, 2)
    energy = np.square(room.responses).sum(-1)
    left = azimuth_of(room.directions) > 30
    assert (energy[left, 0] > energy[left, 1]).all()
    both = default_registry().get("environment", "surrey").build()
    assert [one.name for one in both.rooms] == [f"surrey/{name}" for name in ROOMS]
    track = default_registry().get("track", "left-out-room").build()
    for name, case in zip(track.environments, track.cases, strict=True):
        three = {one.name for one in default_registry().get("environment", name).build().rooms}
        assert three == {f"surrey/{room}" for room in ROOMS} - {case.environment}
    suite = type("Mine", (EnvironmentSuite,), {"component": "surrey/B"})()
    suite.test_it_is_the_same_every_time()
    suite.test_clips_can_be_rendered()


def test_a_design_is_trained_and_tested_in_measured_rooms(home: Path, tmp_path: Path) -> None:
    tiny_preset = tmp_path / "tiny.toml"
    tiny_preset.write_text(TINY_PRESET)
    out = ("--runs", str(tmp_path / "runs"))
    words = ("--preset", str(tiny_preset), "--backbone", "vanilla", "--env", "surrey/A")
    env = {"BASTZOO_DATA": str(home), **PLUGIN}
    done = bastzoo("train", *words, *out, "--json", **env)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["evaluation"]["clips"] == 3 * 37
    assert set(record["evaluation"]["by_room"]) == {"surrey/A"}
    words = ("vanilla", "--env", "surrey/D", "--listener", "kemar", "--json")
    done = bastzoo("evaluate", *words, *out, **env)
    assert done.returncode == 0, done.stderr
    assert "measured with ears of its own; the listeners named are not heard there" in done.stderr
    (result,) = json.loads(done.stdout)["evaluations"]
    assert set(result["by_room"]) == {"surrey/D"}
    done = bastzoo("evaluate", "vanilla", "--track", "measured-rooms", "--json", *out, **env)
    assert done.returncode == 0, done.stderr
    cases = json.loads(done.stdout)["evaluations"]
    assert [set(case["by_room"]) for case in cases] == [{f"surrey/{room}"} for room in "ABCD"]
    assert all(case["metrics"]["lateral_rmse"] > 0 for case in cases)


def test_what_is_not_there_is_said_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASTZOO_DATA", str(tmp_path))
    component = default_registry().get("environment", "surrey/A")
    assert not component.availability().ok
    with pytest.raises(SetupError, match="bastzoo data fetch surrey"):
        component.build()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the path is Debian's")
def test_the_commands_list_fetch_and_tell(folder: Path, tmp_path: Path) -> None:
    env = {"BASTZOO_DATA": str(tmp_path), **PLUGIN}
    done = bastzoo("data", "fetch", "cipic", **env)
    assert done.returncode == 1
    assert "Licence: LicenseRef-CIPIC. Copyright (c) 2001" in done.stderr
    assert "was not accepted: read it above, and add --yes" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = bastzoo("data", "fetch", "cipic", "--from", str(folder), **env)
    assert done.returncode == 1
    assert "has the checksum" in done.stderr
    assert "no checksum is known: subject_008" in done.stderr
    assert "43 of 45 files are not in" in done.stderr
    listed = bastzoo("data", "list", **env).stdout
    assert "1 of 45 listeners there" in listed
    assert "0 of 5 rooms there" in listed
    told = json.loads(bastzoo("data", "info", "cipic", "--json", **env).stdout)
    assert [name for name, there in told["members"].items() if there] == ["008"]
    done = bastzoo("data", "info", "--listener", "cipic/003", **env)
    assert "The data of cipic/003 is not there: bastzoo data fetch cipic" in done.stderr
    (tmp_path / "mine").mkdir()
    done = bastzoo("data", "fetch", "tuxpaint", "--from", str(tmp_path / "mine"), **env)
    assert done.returncode == 0, done.stderr
    assert "nothing was copied" in done.stderr
    done = bastzoo("data", "info", "--sounds", "tuxpaint", **env)
    assert "mine holds no sound file" in done.stderr
    done = bastzoo("data", "fetch", "nobody", **env)
    assert "There is no dataset named 'nobody'" in done.stderr
