"""CSV indexes: rows, splits by group, and every fault with its row."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastzoo.data.recorded.csv_index import read_csv_index
from bastzoo.data.recorded.index import TEST, TRAIN, VALIDATION
from bastzoo.errors import DataError
from tests.data.recorded.made import array, csv_index, default_rows


def split_rows(**extra: object) -> list[dict[str, object]]:
    splits = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    row = {"class": "bell", "azimuth_deg": 10, "elevation_deg": 0, **extra}
    return [{**row, "split": split} for split in splits]


def test_rows_are_read_with_their_class_and_direction(tmp_path: Path) -> None:
    rows = split_rows()
    rows[0] |= {"class": "drum", "azimuth_deg": 350, "elevation_deg": -20.5}
    index = read_csv_index(csv_index(tmp_path, rows))
    place = index.files.index("clip0.npy")
    assert index.classes == ("bell", "drum")
    assert index.classes[index.label[place]] == "drum"
    assert (index.azimuth[place], index.elevation[place]) == (-10, -20.5)
    assert np.bincount(index.split).tolist() == [4, 2, 2]
    assert not len(index.faults)


def test_azimuths_can_count_clockwise(tmp_path: Path) -> None:
    path = csv_index(tmp_path, split_rows(azimuth_deg=30))
    assert set(read_csv_index(path, azimuth_direction="clockwise").azimuth) == {-30}


def test_whole_numbers_are_classes_in_the_order_of_their_values(tmp_path: Path) -> None:
    rows = split_rows()
    for number, row in enumerate(rows):
        row["class"] = [10, 9, 2, 10][number % 4]
    index = read_csv_index(csv_index(tmp_path, rows))
    assert index.classes == ("2", "9", "10")


def test_without_a_split_column_whole_groups_are_drawn(tmp_path: Path) -> None:
    index = read_csv_index(csv_index(tmp_path, default_rows(groups=30)))
    groups = [set(index.sound[index.split == s].tolist()) for s in (TRAIN, VALIDATION, TEST)]
    assert [len(group) for group in groups] == [24, 3, 3]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_without_a_validation_row_a_tenth_of_the_training_groups_is_held_out(
    tmp_path: Path,
) -> None:
    rows = [
        {**row, "split": "test" if n < 6 else "train"} for n, row in enumerate(default_rows(22))
    ]
    index = read_csv_index(csv_index(tmp_path, rows))
    assert len(np.unique(index.sound[index.split == VALIDATION])) == 2


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_are_taken(tmp_path: Path) -> None:
    path = csv_index(tmp_path, split_rows())
    text = path.read_text().replace("\r\n", "\n").replace("\n", "\r\n")
    path.write_bytes(("\ufeff" + text.replace("input_file", " Input_File ") + "\r\n\r\n").encode())
    assert len(read_csv_index(path)) == 8


def test_files_can_be_absolute_or_in_folders_and_cells_quoted(tmp_path: Path) -> None:
    (tmp_path / "set" / "a, b").mkdir(parents=True)
    np.save(tmp_path / "set" / "a, b" / "clip.npy", array(0))
    np.save(tmp_path / "far.npy", array(1))
    rows = split_rows()
    rows[0]["input_file"] = "a, b/clip.npy"
    rows[1]["input_file"] = str(tmp_path / "far.npy")
    index = read_csv_index(csv_index(tmp_path / "set", rows))
    assert len(index) == 8
    assert all(index.path(row).is_file() for row in range(8))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"azimuth_deg": "left"}, "azimuth_deg is 'left'; write a number of degrees"),
        ({"azimuth_deg": "nan"}, "azimuth_deg is 'nan'"),
        ({"azimuth_deg": "inf"}, "azimuth_deg is 'inf'"),
        ({"azimuth_deg": ""}, "azimuth_deg is ''"),
        ({"azimuth_deg": "1_0"}, "azimuth_deg is '1_0'"),
        ({"class": "", "azimuth_deg": 999, "elevation_deg": "up"}, "names no class"),
        ({"input_file": "./clip0.npy"}, "says what row 2 says already"),
        ({"azimuth_deg": 361}, "azimuth_deg is 361; write -180 to 360"),
        ({"elevation_deg": 91}, "elevation_deg is 91; write -90 to 90"),
        ({"class": ""}, "names no class"),
        ({"input_file": ""}, "names no input_file"),
        ({"input_file": "clip.wav"}, "'clip.wav' is no .npy or .pt file"),
        ({"input_file": "nowhere/clip.npy"}, "there is no file 'nowhere/clip.npy'"),
        ({"input_file": "clip0.npy"}, "says what row 2 says already"),
        ({"split": "holdout"}, "has the split 'holdout'; write train, validation or test"),
        ({"split": ""}, "names no split"),
        ({"class": "unheard", "split": "test"}, "its class 'unheard' is in no row of train"),
    ],
)
def test_a_fault_is_kept_with_its_row_and_the_rest_goes_on(
    tmp_path: Path, change: dict[str, object], fault: str
) -> None:
    rows = split_rows()
    rows[3] |= change
    index = read_csv_index(csv_index(tmp_path, rows))
    (sentence,) = index.faults
    assert sentence.startswith("index.csv, row 5: ")
    assert fault in sentence
    assert len(index) == 7


def test_a_group_in_two_splits_is_left_out_of_both(tmp_path: Path) -> None:
    rows = [{**row, "group": f"g{n}"} for n, row in enumerate(split_rows())]
    rows[7]["group"] = "g0"
    index = read_csv_index(csv_index(tmp_path, rows))
    assert len(index) == 6
    assert all("its group 'g0' is in two splits" in sentence for sentence in index.faults)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


GOOD_HEADER = b"input_file,class,azimuth_deg,elevation_deg\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no column 'input_file', 'class', 'azimuth_deg', 'elevation_deg'; it has none"),
        (
            b"input_file,class,azimuth\n",
            "no column 'azimuth_deg', 'elevation_deg'; it has input_file",
        ),
        (GOOD_HEADER.replace(b",", b";"), "Separate columns with commas"),
        (b"input_file,class,class,azimuth_deg,elevation_deg\n", "two columns 'class'"),
        (GOOD_HEADER, "has no row that can be used"),
        (GOOD_HEADER + b"caf\xe9.npy,a,1,2\n", "is not in UTF-8"),
        (GOOD_HEADER + b'"clip.npy,a,1,2\n', "is no CSV"),
        (GOOD_HEADER + b"clip.npy,a,1\n", "has 3 cells, and the header 4"),
        (GOOD_HEADER + b"\0.npy,a,1,2\n", "names no input_file|is no CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_csv_index(_write(tmp_path / "index.csv", content))


def test_a_missing_file_and_a_folder_are_sentences(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_csv_index(path)


def test_too_few_groups_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 2 group\(s\) to split"):
        read_csv_index(csv_index(tmp_path, default_rows(groups=2)))


def test_a_row_of_many_long_lines_is_refused_at_once(tmp_path: Path) -> None:
    lines = b'"' + b'x\n","' * 2**19
    path = _write(tmp_path / "index.csv", GOOD_HEADER + lines)
    with pytest.raises(DataError, match=r"row, which ends at line \d+: is longer than 1,048,576"):
        read_csv_index(path)


def test_commas_behind_a_row_are_no_cells(tmp_path: Path) -> None:
    path = csv_index(tmp_path, split_rows())
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(row + ",,," for row in rows), ",,,,,,,"]))
    index = read_csv_index(path)
    assert len(index) == 8
    assert not len(index.faults)


def test_absolute_paths_below_the_csv_can_be_moved_with_it(tmp_path: Path) -> None:
    digests = set()
    for place in (tmp_path / "here", tmp_path / "there"):
        rows = split_rows()
        csv_index(place, rows)
        for number, row in enumerate(rows):
            row["input_file"] = str(place / f"clip{number}.npy")
        index = read_csv_index(csv_index(place, rows))
        assert index.files[0] == "clip0.npy"
        digests.add(index.digest())
    assert len(digests) == 1


def test_a_line_of_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    with path.open("wb") as file:
        file.write(GOOD_HEADER)
        os.truncate(path, 2 * 2**30)  # zeros without a line end, and without room on the disk
    started = time.perf_counter()
    with pytest.raises(DataError, match=r"line 2: is longer than 1,048,576 characters"):
        read_csv_index(path)
    assert time.perf_counter() - started < 5


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_mutated_index_is_read_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = csv_index(tmp_path, split_rows())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            content[place:place] = data.draw(st.binary(max_size=12))
    path.write_bytes(content)
    try:
        index = read_csv_index(path)
    except DataError:
        return
    assert np.isfinite(index.azimuth).all()
    assert (np.abs(index.elevation) <= 90).all()


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(st.text(max_size=8), max_size=6), max_size=5))
def test_any_cells_are_read_or_refused(tmp_path: Path, cells: list[list[str]]) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        file.write(GOOD_HEADER.decode())
        csv.writer(file).writerows(cells)
    with pytest.raises(DataError):
        read_csv_index(path)
