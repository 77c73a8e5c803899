"""Rendered data on disk: what is read back is what was rendered."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bastzoo.conditions import Condition
from bastzoo.data.environments import ri
from bastzoo.data.export import file_name, write_bast_folder, write_csv_index
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.directions import azimuth_of
from bastzoo.errors import DataError, SetupError
from bastzoo.presets import DataSize
from bastzoo.zoo.frontends import Spectrogram

SIZE = DataSize(train_sounds=2, validation_sounds=1, test_sounds=1, azimuth_step=120)
NAMES = {"anechoic": "RI01", "lecture-hall": "RI02"}


def rendered(**condition: object) -> RenderedData:
    return RenderedData(environment=ri(), size=SIZE, condition=Condition.model_validate(condition))


def test_a_bast_folder_holds_every_clip_to_16_bits_under_its_azimuth_and_room(
    tmp_path: Path,
) -> None:
    data = rendered()
    written = write_bast_folder(data, tmp_path / "clips", room_names=NAMES)
    assert (written.clips, written.clipped_samples) == (4 * 2 * 3, 0)
    test = data.split("test")
    batch = test.take(torch.arange(len(test)))
    clockwise = np.rint(-azimuth_of(batch.targets["direction"].double().numpy())) % 360
    names = set()
    with (tmp_path / "clips" / "gains.csv").open() as file:
        gains = {line["sound"]: float(line["gain"]) for line in csv.DictReader(file)}
    assert len(gains) == 4
    for row, clip in enumerate(batch.inputs.numpy()):
        room = NAMES[test.rooms[int(batch.rooms[row])]]
        sound = test.sound_ids[int(batch.sounds[row])]
        name = f"A{int(clockwise[row]):03d}_{room}_{sound}.wav"
        names.add(name)
        samples, rate = soundfile.read(tmp_path / "clips" / "test" / name)
        assert rate == 16_000
        gain = gains[sound]
        assert gain == 2.0 ** round(np.log2(gain))
        np.testing.assert_allclose(samples.T / gain, clip, atol=0.5001 / 2**15 / gain)
    assert names == {path.name for path in (tmp_path / "clips" / "test").iterdir()}
    assert len(list((tmp_path / "clips" / "train").iterdir())) == 3 * 2 * 3
    about = json.loads((tmp_path / "clips" / "about.json").read_text())
    assert about["gain_db"] is None
    assert about["clipped_samples"] == 0


def test_clips_that_are_too_loud_are_counted(tmp_path: Path) -> None:
    written = write_bast_folder(rendered(), tmp_path / "clips", room_names=NAMES, gain_db=40.0)
    assert written.clipped_samples > 0


def test_the_snr_is_part_of_the_name(tmp_path: Path) -> None:
    write_bast_folder(rendered(snr_db=(20.0,)), tmp_path / "clips", room_names=NAMES)
    assert all("_SNR_20_" in path.name for path in (tmp_path / "clips").glob("*/*.wav"))


@pytest.mark.parametrize(
    "condition",
    [{"heads": (1, 2)}, {"snr_db": (None, 10.0)}, {"directions": "sphere"}],
)
def test_what_basts_names_cannot_tell_is_refused(
    tmp_path: Path, condition: dict[str, object]
) -> None:
    with pytest.raises(DataError, match="file names cannot tell"):
        write_bast_folder(rendered(**condition), tmp_path / "clips", room_names=NAMES)
    assert not list(tmp_path.iterdir())


def test_half_a_decibel_and_an_unnamed_room_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not 2\.5 dB"):
        write_bast_folder(rendered(snr_db=(2.5,)), tmp_path / "clips", room_names=NAMES)
    with pytest.raises(DataError, match="no name for the room 'lecture-hall'"):
        write_bast_folder(rendered(), tmp_path / "clips", room_names={"anechoic": "RI01"})


def test_a_csv_index_holds_the_features_with_class_direction_split_and_sound(
    tmp_path: Path,
) -> None:
    data = rendered(directions="sphere")
    frontend = Spectrogram()
    written = write_csv_index(data, tmp_path / "set", frontend=frontend)
    with (tmp_path / "set" / "dataset_index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (
        len(rows)
        == written.clips
        == sum(len(data.split(s)) for s in ("train", "test")) + len(data.split("validation"))
    )
    test = data.split("test")
    batch = test.take(torch.arange(len(test)))
    expected = frontend(batch.inputs)[:, :, 0].numpy()
    of_test = [row for row in rows if row["split"] == "test"]
    for row, features in zip(of_test, expected, strict=True):
        kept = np.load(tmp_path / "set" / row["input_file"])
        np.testing.assert_allclose(kept, features, rtol=2**-10, atol=2**-20)
    assert {row["class"] for row in of_test} == {test.classes[0]}
    assert {float(row["elevation_deg"]) for row in of_test} == {-40, -20, 0, 20, 40, 60}
    assert {row["group"] for row in of_test} == set(test.sound_ids)


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "mine.txt").write_text("mine")
    with pytest.raises(SetupError, match="exists already"):
        write_bast_folder(rendered(), tmp_path / "clips", room_names=NAMES)
    assert [path.name for path in tmp_path.rglob("*")] == ["clips", "mine.txt"]


def test_a_disk_without_room_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bastzoo.limits.writing.shutil.disk_usage", lambda path: type("Disk", (), {"free": 1_000})
    )
    with pytest.raises(
        SetupError, match=r"about [1-9][\d.]* [kM]B, and there are 1\.0 kB left; make room"
    ):
        write_bast_folder(rendered(), tmp_path / "clips", room_names=NAMES)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_no_half_folder(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bast_folder(rendered(), tmp_path / "clips", room_names=NAMES, progress=interrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sound", "name"),
    [("rain-0-1", "rain-0-1"), ("a/b c.flac#3", "a-b-c.flac-3"), ("ü_", "---2e8b4438")],
)
def test_ids_become_names_that_every_file_system_takes(sound: str, name: str) -> None:
    assert file_name(sound) == name


def test_names_that_lose_more_than_separators_stay_apart() -> None:
    """Names in Japanese or Arabic, and of punctuation only, had one file name."""
    sounds = ["雨", "風", "مطر", "ريح", "!!!", "???", "...", "雨.wav#0", "雨.wav#1", "é", "e"]
    names = [file_name(sound) for sound in sounds]
    assert len(set(names)) == len(sounds)
    assert all(name.isascii() and not set(name) & set("/?!#") for name in names)
