"""BAST folders: names, environments, splits by sound, and every fault of a name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.data.recorded.bast import read_bast_folder
from bastzoo.data.recorded.index import (
    TEST,
    TRAIN,
    VALIDATION,
    counter_clockwise,
    hold_out,
)
from bastzoo.errors import DataError
from tests.data.recorded.made import bast_folder


def folder(root: Path, train: list[str], test: list[str] | None = None) -> Path:
    """Empty files of these names: the reader of an index looks into none."""
    for part, names in (
        ("train", train),
        ("test", ["A000_RI01_last.wav"] if test is None else test),
    ):
        for name in names:
            (root / part / name).parent.mkdir(parents=True, exist_ok=True)
            (root / part / name).touch()
    (root / "test").mkdir(parents=True, exist_ok=True)
    return root


ORDINARY = [f"A{a:03d}_RI0{r}_s{s}.wav" for a in (0, 90) for r in (1, 2) for s in range(3)]


def test_names_tell_azimuth_room_and_sound(tmp_path: Path) -> None:
    index = read_bast_folder(folder(tmp_path, ["A030_RI02_kettle.wav", "A000_RI01_bell.wav"]))
    rows = dict(zip(index.files, range(len(index)), strict=True))
    kettle = rows["train/A030_RI02_kettle.wav"]
    assert index.azimuth[kettle] == -30  # clockwise in the name, counter-clockwise here
    assert index.rooms[index.room[kettle]] == "RI02"
    assert index.sound_ids[index.sound[kettle]] == "kettle"
    assert index.elevation[kettle] == 0


def test_azimuths_can_count_the_other_way(tmp_path: Path) -> None:
    names = ["A030_RI01_a.wav", "A180_RI01_b.wav", "A360_RI01_c.wav"]
    index = read_bast_folder(
        folder(tmp_path, names), azimuth_direction="counter-clockwise", environment="RI01"
    )
    assert sorted(index.azimuth[index.split != TEST]) == [0, 30, 180]


@pytest.mark.parametrize(
    ("environment", "rooms"),
    [
        ("RI", ("RI01", "RI02")),
        ("ri02", ("RI02",)),
        ("RI_SNR_20", ("RI01", "RI02")),
        ("RI02_SNR_20", ("RI02",)),
        ("RI_SNR_-5", ("RI01",)),
        ("RI_SNR_clean", ("RI01", "RI02")),
        (None, ("RI01", "RI01_SNR_-5", "RI01_SNR_20", "RI02", "RI02_SNR_20")),
    ],
)
def test_an_environment_takes_its_rooms_and_its_noise(
    tmp_path: Path, environment: str | None, rooms: tuple[str, ...]
) -> None:
    tokens = ["RI01", "RI02", "RI01_SNR_20", "RI02_SNR_20", "RI01_SNR_-5"]
    train = [f"A090_{token}_s{sound}.wav" for token in tokens for sound in range(2)]
    index = read_bast_folder(
        folder(tmp_path, train, [f"A090_{token}_t.wav" for token in tokens]),
        environment=environment,
    )
    assert index.rooms == rooms
    assert len(index) == 3 * len(rooms)
    assert set(index.sound_ids) == {"s0", "s1", "t"}


def test_an_environment_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'RI07'; it has RI01 \(7\), RI02 \(6\)"):
        read_bast_folder(folder(tmp_path, ORDINARY), environment="RI07")
    with pytest.raises(
        DataError, match="'bathroom' is no environment of recordings named as these"
    ):
        read_bast_folder(folder(tmp_path, []), environment="bathroom")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    sounds=st.sets(st.text("abcXYZ0189", min_size=1, max_size=6), min_size=2, max_size=12),
    rooms=st.sets(st.integers(1, 4), min_size=1),
    azimuths=st.sets(st.integers(0, 35), min_size=1, max_size=4),
    held=st.integers(1, 20),
)
def test_no_sound_is_in_two_splits_whatever_its_rooms_and_azimuths(
    tmp_path_factory: pytest.TempPathFactory,
    sounds: set[str],
    rooms: set[int],
    azimuths: set[int],
    held: int,
) -> None:
    names = [f"A{10 * a:03d}_RI{r:02d}_{s}.wav" for a in azimuths for r in rooms for s in sounds]
    root = folder(tmp_path_factory.mktemp("set"), names, ["A000_RI01_the-test.wav"])
    index = read_bast_folder(root, validation_sounds=held)
    by_split = [set(index.sound[index.split == s].tolist()) for s in (TRAIN, VALIDATION, TEST)]
    assert all(by_split)
    assert not by_split[0] & by_split[1]
    assert len(by_split[1]) == min(held, max(1, len(sounds) // 5))
    assert bool(index.notes) == (len(by_split[1]) < held)
    assert len(index) == len(names) + 1


def test_the_index_does_not_depend_on_the_place_or_on_sub_folders_order(tmp_path: Path) -> None:
    first = read_bast_folder(folder(tmp_path / "one", ORDINARY))
    second = read_bast_folder(folder(tmp_path / "another" / "place", ORDINARY[::-1]))
    assert first.files == second.files
    assert first.digest() == second.digest()
    np.testing.assert_array_equal(first.split, second.split)


def test_sub_folders_and_capital_suffixes_are_read(tmp_path: Path) -> None:
    names = ["deep/er/A010_RI01_a.WAV", "A020_RI01_b.wav", "notes.txt"]
    assert len(read_bast_folder(folder(tmp_path, names))) == 3


def test_a_regular_expression_finds_the_sound(tmp_path: Path) -> None:
    names = ["A010_RI01_take1_bell.wav", "A020_RI01_take2_bell.wav", "A020_RI01_take1_drum.wav"]
    root = folder(tmp_path, names)
    index = read_bast_folder(root, sound_id=r"take\d_(\w+)|last")
    assert set(index.sound_ids) == {"bell", "drum"}
    assert "--sound-id finds nothing" in next(iter(index.faults))  # in the test's file
    with pytest.raises(DataError, match="is no regular expression"):
        read_bast_folder(root, sound_id="(")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Axyz_RI01_a.wav", "characters 2 to 4 are no azimuth in degrees"),
        ("A1.wav", "characters 2 to 4 are no azimuth"),
        ("A²30_RI01_a.wav", "characters 2 to 4 are no azimuth"),
        ("A035_RI01_a.wav", "the azimuth 35 is not on the grid of 0 to 360 in steps of 10"),
        ("A370_RI01_a.wav", "the azimuth 370 is not on the grid"),
        ("A030_hall_a.wav", "names no environment"),
        ("A030_XRI01_a.wav", "names no environment"),
        ("A030_RI01.wav", "names no sound"),
        ("A030_RI01_SNR_20dB_a.wav", "names no environment"),
        ("A030_RI01_SNR_2.5_a.wav", "names no environment"),
        ("A030_RI01_SNR20_a.wav", "names no environment"),
        ("A030_RI01_a_RI02.wav", "names two environments"),
        ("A030_RI01_last.wav", "its sound 'last' is in test/ too"),
    ],
)
def test_a_fault_of_a_name_is_kept_with_the_file_and_the_rest_goes_on(
    tmp_path: Path, name: str, fault: str
) -> None:
    index = read_bast_folder(folder(tmp_path, [*ORDINARY, name]))
    assert len(index) == len(ORDINARY) + 1
    (sentence,) = index.faults
    assert sentence.startswith(f"train/{name}: ")
    assert fault in sentence


def test_a_sound_whose_name_begins_like_a_noise_is_a_sound(tmp_path: Path) -> None:
    index = read_bast_folder(folder(tmp_path, [*ORDINARY, "A030_RI01_snriff.wav"]))
    assert "snriff" in index.sound_ids


def test_faults_are_told_in_the_order_of_names_and_count_the_files_left_out(tmp_path: Path) -> None:
    names = [f"A{n:03d}_RI01_a.wav" for n in range(1, 10)]
    index = read_bast_folder(folder(tmp_path, [*ORDINARY, *names[::-1]]))
    assert [sentence.split(":")[0] for sentence in index.faults] == [f"train/{n}" for n in names]
    assert len(index) + len(index.faults) == len(ORDINARY) + len(names) + 1


def test_hidden_files_are_no_recordings_and_links_to_folders_are_followed_once(
    tmp_path: Path,
) -> None:
    root = folder(tmp_path / "set", [*ORDINARY, "._A000_RI01_s0.wav"])
    other = folder(tmp_path / "other", ["A030_RI01_linked.wav"])
    (root / "train" / "linked").symlink_to(other / "train")
    (root / "train" / "circle").symlink_to(root / "train")
    index = read_bast_folder(root)
    assert "train/linked/A030_RI01_linked.wav" in index.files
    assert len(index) == len(ORDINARY) + 2
    assert not len(index.faults)


def test_a_step_or_an_expression_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    root = folder(tmp_path, ORDINARY)
    with pytest.raises(DataError, match="steps of 0 degrees"):
        read_bast_folder(root, azimuth_step=0)
    for expression in ("a{99999999999}", "[["):  # Python warns of the second before it refuses it
        with pytest.raises(DataError, match="is no regular expression"):
            read_bast_folder(root, sound_id=expression)


def test_the_digest_tells_what_rows_mean_and_not_how_they_are_ordered(tmp_path: Path) -> None:
    index = read_bast_folder(folder(tmp_path, ORDINARY))
    order = np.random.default_rng(0).permutation(len(index))
    assert index.select(order).digest() == index.digest()
    assert index.select(np.arange(len(index)) > 0).digest() != index.digest()
    for column in ("split", "sound", "room", "azimuth", "elevation"):
        values = getattr(index, column).copy()
        values[0] = 1 - values[0]
        assert replace(index, **{column: values}).digest() != index.digest()
    assert replace(index, classes=("sound", "another")).digest() != index.digest()


def test_files_that_exchange_their_azimuths_make_another_digest(tmp_path: Path) -> None:
    index = read_bast_folder(folder(tmp_path, ORDINARY))
    azimuth = index.azimuth.copy()
    # Two files of one sound and room, so that the rows are the same ones, at each other's file.
    last = len(index) - 1
    same = np.flatnonzero((index.sound == index.sound[last]) & (index.room == index.room[last]))
    azimuth[same] = azimuth[same][::-1]
    assert not np.array_equal(azimuth, index.azimuth)
    assert replace(index, azimuth=azimuth).digest() != index.digest()


def test_a_sound_is_held_out_whatever_its_place_among_the_others() -> None:
    ids = tuple(f"s{n}" for n in range(50))
    sound = np.arange(50)
    held = {ids[n] for n in np.flatnonzero(hold_out(sound, ids, 5, "seed"))}
    turned = {ids[::-1][n] for n in np.flatnonzero(hold_out(sound, ids[::-1], 5, "seed"))}
    assert held == turned
    assert len(held) == 5
    more = {ids[n] for n in np.flatnonzero(hold_out(sound, ids, 0.2, "seed"))}
    assert held < more
    assert len(more) == 10
    assert held != {ids[n] for n in np.flatnonzero(hold_out(sound, ids, 5, "another"))}


def test_the_last_sound_of_a_class_is_not_held_out() -> None:
    sound = np.arange(20)
    label = np.where(sound < 10, 0, sound)  # ten sounds of one class, and ten classes of one sound
    held = hold_out(sound, tuple(map(str, sound)), 15, "seed", label=label)
    assert not held[10:].any()
    assert held[:10].sum() == 9


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda root: shutil.rmtree(root / "train"), "has no folder train/"),
        (lambda root: shutil.rmtree(root), "has no folder train/"),
        (lambda root: [p.unlink() for p in root.rglob("*.wav")], "has no WAV file"),
        (
            lambda root: [p.unlink() for p in root.glob("train/*_s[12].wav")],
            "needs at least two sounds",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, break_it: object, sentence: str
) -> None:
    root = folder(tmp_path / "set", ORDINARY)
    break_it(root)  # type: ignore[operator]
    with pytest.raises(DataError, match=sentence):
        read_bast_folder(root)


def test_a_made_folder_is_read_whole(tmp_path: Path) -> None:
    index = read_bast_folder(bast_folder(tmp_path), validation_sounds=1)
    assert len(index) == 6 * 2 * 4
    assert not len(index.faults)


@given(st.floats(-360, 360))
def test_angles_keep_their_direction_either_way(azimuth: float) -> None:
    (turned,) = counter_clockwise(np.array([azimuth]), "clockwise")
    (same,) = counter_clockwise(np.array([azimuth]), "counter-clockwise")
    assert -180 < turned <= 180
    assert -180 < same <= 180
    assert np.cos(np.radians(turned)) == pytest.approx(np.cos(np.radians(azimuth)), abs=1e-9)
    assert np.sin(np.radians(turned)) == pytest.approx(-np.sin(np.radians(azimuth)), abs=1e-9)
    assert np.sin(np.radians(same)) == pytest.approx(np.sin(np.radians(azimuth)), abs=1e-9)
