"""A localizer answers on any waveform, and says what it does not know."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import bastzoo as bz
from bastzoo.errors import DataError
from bastzoo.models.listening.segments import in_words, segments
from bastzoo.models.localizer import Localizer, Prediction, confidence_of
from bastzoo.plots.recording import check_picture, draw
from tests.models.made import made

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return made(frontend="binaural", head="vmf-azimuth", loss="VMF")


def one(found: Prediction | list[Prediction]) -> Prediction:
    assert isinstance(found, Prediction)
    return found


def test_answers_are_those_of_the_network_on_each_window(localizer: Localizer) -> None:
    sound = RNG.normal(size=(2, 20_000)).astype(np.float32) * 0.1
    found = one(localizer(sound, hop_ms=125))
    starts = [0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000]
    np.testing.assert_allclose(found.times, np.array(starts) / 16_000 + 0.25)
    clips = torch.from_numpy(np.stack([sound[:, s : s + 8_000] for s in starts]))
    with torch.no_grad():
        decoded = localizer.model.head.decode(localizer.model(clips))
    # The level is brought to a reference first, which changes nothing but rounding.
    np.testing.assert_allclose(found.direction, decoded["direction"], atol=2e-3)
    np.testing.assert_allclose(found.confidence, confidence_of(decoded["radii"].numpy()), atol=2e-3)
    assert found.elevation is None
    assert found.classes is None
    quiet = one(localizer(1e-2 * sound, hop_ms=125))
    np.testing.assert_allclose(quiet.direction, found.direction, atol=2e-3)
    np.testing.assert_allclose(quiet.level, found.level - 40, atol=1e-3)


def test_batches_files_and_torch_give_the_same(localizer: Localizer, tmp_path: Path) -> None:
    sounds = RNG.normal(size=(2, 2, 9_000)).astype(np.float32) * 0.1
    both = localizer(torch.from_numpy(sounds))
    assert isinstance(both, list)
    soundfile.write(tmp_path / "a.wav", sounds[1].T, 16_000, subtype="FLOAT")
    for again in (localizer(sounds[1], 16_000), localizer(tmp_path / "a.wav")):
        np.testing.assert_array_equal(one(again).direction, both[1].direction)
    other_way = one(localizer(tmp_path / "a.wav", ears=(2, 1)))
    np.testing.assert_array_equal(other_way.direction, one(localizer(sounds[1, ::-1])).direction)


def test_silence_has_no_direction_and_no_confidence(localizer: Localizer) -> None:
    sound = RNG.normal(size=(2, 24_000)) * 0.1
    sound[:, 8_000:16_000] = 0
    found = one(localizer(sound, hop_ms=500))
    assert found.heard.tolist() == [True, False, True]
    assert np.isnan(found.azimuth[1])
    assert found.confidence is not None
    assert np.isfinite(found.confidence).tolist() == [True, False, True]
    row = found.rows()[1]
    assert (row["azimuth_deg"], row["confidence"], row["level_left_db"]) == (None, None, None)
    silent = one(localizer(np.zeros((2, 100))))
    assert silent.notes[0] == "nothing was heard: the recording is silent"
    assert "shorter than a window of 0.5 s" in silent.notes[1]
    assert silent.seconds == 100 / 16_000
    assert silent.confidence is not None
    # Whatever the head is called that says how sure it is.
    other = made(frontend="binaural", head="posterior", loss="NLL")
    assert one(other(np.zeros((2, 100)))).confidence is not None


def test_heads_with_elevation_and_class_answer_both() -> None:
    names = ["voice", "bell"]
    several = made(head="azimuth+elevation+class", parameters={"head": {"classes": names}})
    found = one(several(RNG.normal(size=(2, 8_000)) * 0.1))
    assert found.classes is not None
    assert found.classes[0] in names
    assert found.elevation is not None
    assert -90 <= found.elevation[0] <= 90
    assert found.rows()[0]["class"] == found.classes[0]
    assert found.confidence is None


def test_features_are_what_the_head_sees(localizer: Localizer) -> None:
    sounds = RNG.normal(size=(3, 2, 8_000)).astype(np.float32) * 0.08
    features = localizer.features(sounds)
    assert features.shape == (3, 24)
    with torch.no_grad():
        answers = localizer.model.head(torch.from_numpy(features))
        expected = localizer.model(torch.from_numpy(sounds))
    torch.testing.assert_close(answers["vector"], expected["vector"], atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("sound", "rate", "sentence"),
    [
        (np.zeros((3, 100)), None, r"is \[2, N\].*this one is \[3, 100\]"),
        (np.zeros(100), None, r"this one is \[100\]"),
        (np.zeros((2, 0)), None, r"this one is \[2, 0\]"),
        (np.zeros((2, 100), np.int16), None, "holds integers"),
        (np.full((2, 100), np.inf), None, "is NaN or infinite"),
        (np.zeros((2, 100)), 0, "is 0 Hz; give one"),
        (np.zeros((2, 100)), math.nan, "is nan Hz; give one"),
    ],
)
def test_what_is_no_waveform_of_two_ears_is_a_sentence(
    localizer: Localizer, sound: np.ndarray, rate: float | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        localizer(sound, rate)
    with pytest.raises(DataError, match="hop of 0 ms is none"):
        localizer(RNG.normal(size=(2, 100)), hop_ms=0)


def test_memory_does_not_grow_with_the_recording(localizer: Localizer) -> None:
    asked = answered = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal asked
        for _ in range(40):
            asked += 1
            yield RNG.normal(size=(16_000, 2)).astype(np.float32)

    for part in localizer.stream(blocks(), 16_000, hop_ms=1_000):
        answered += len(part)
        assert asked - answered <= 1  # seconds heard, and windows that begin every second
    assert answered == 41  # the last one ends with the recording


def test_the_confidence_is_the_probability_of_ten_degrees() -> None:
    nine = np.arange(1.0, 10.0)  # 90 % within 9°, so a little more within 10°
    found = confidence_of(np.stack([nine, 2 * nine, 100 * nine]))
    np.testing.assert_allclose(found, [0.9 + 0.1 / 171, 0.5, 0.01], atol=1e-6)


def predicted(azimuths: list[float], confidence: list[float]) -> Prediction:
    angles = np.radians(np.array(azimuths, dtype=float))
    direction = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    return Prediction(
        times=0.25 + 0.25 * np.arange(len(azimuths)),
        direction=direction,
        level=np.full((len(azimuths), 2), -20.0),
        window_seconds=0.5,
        confidence=np.array(confidence, dtype=float),
    )


def test_segments_join_neighbours_that_agree_and_leave_out_the_unsure() -> None:
    nan = math.nan
    found = segments(
        predicted(
            [60, 62, 64, -30, nan, -30, 179, -179],
            [0.9, 0.8, 0.7, 0.2, nan, 0.9, 0.9, 0.7],
        )
    )
    assert [(round(s.azimuth), s.windows) for s in found] == [(62, 3), (-30, 1), (180, 2)]
    assert [(s.start, s.end) for s in found] == [(0.0, 0.875), (1.375, 1.625), (1.625, 2.25)]
    assert found[0].confidence == pytest.approx(0.8)
    line = found[0].rttm("talk")
    assert line == "SPEAKER talk 1 0.000 0.875 <NA> <NA> az+062 0.80 <NA>"
    without = replace(predicted([10.0], [0.1]), confidence=None)
    assert segments(without)[0].rttm("a").endswith("az+010 <NA> <NA>")


def test_azimuths_in_words() -> None:
    assert [in_words(a) for a in (60, -160.4, 0.2, 180, -90, math.nan)] == [
        *("60° left", "behind, 20° right", "in front", "behind", "90° right", "silent"),
    ]


def test_a_picture_is_the_same_file_every_time(tmp_path: Path) -> None:
    prediction = predicted([60, -30, 170, math.nan], [0.9, 0.3, 0.8, math.nan])
    for name in ("a.svg", "b.svg", "c.png"):
        draw(prediction, tmp_path / name, title="talk")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert ">azimuth<" in text
    assert ">talk<" in text
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    for path, sentence in [(tmp_path / "a.txt", "is no picture"), (Path("no/a.svg"), "no folder")]:
        with pytest.raises(bz.SetupError, match=sentence):
            check_picture(path)
