"""`bastzoo predict`, from a file or a stream to an answer, with the model that ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import bastzoo as bz
from bastzoo.acoustics.listeners.listener import virtual_listener
from bastzoo.acoustics.rooms.responses import Ears, scene_responses
from bastzoo.acoustics.rooms.scenes import draw_scene
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.models.localizer import Localizer
from tests.cli.command import ROOT, bastzoo, data

UNHEARD_LISTENER, UNHEARD_ROOM = 203, 2
TRUE = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`left.wav`: four sounds from 60° to the left, in a room and on ears that no training has heard."""
    path = tmp_path_factory.mktemp("sounds")
    scene = draw_scene(UNHEARD_ROOM, split="test", sources=1)
    assert scene.size is not None
    scene = replace(scene, azimuths=np.array([TRUE]), distances=np.array([1.5]))
    responses, _ = scene_responses(scene, Ears(virtual_listener(UNHEARD_LISTENER)))
    sounds = make_corpus(range(9_000, 9_004), seed=5).samples.reshape(-1)
    size = 2 * len(sounds)
    spectra = torch.fft.rfft(responses[0], size) * torch.fft.rfft(torch.from_numpy(sounds), size)
    heard = torch.fft.irfft(spectra, size)[:, : len(sounds)].numpy().T
    heard = 0.3 * heard / np.abs(heard).max()
    soundfile.write(path / "left.wav", heard, 16_000)
    soundfile.write(path / "mono.wav", heard[:, 0], 16_000)
    return path


@pytest.fixture(scope="module")
def model() -> Localizer:
    return bz.load("default")


def test_a_sound_60_degrees_left_is_said_to_be_there(folder: Path, model: Localizer) -> None:
    done = bastzoo("predict", str(folder / "left.wav"), "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = data(done)
    sure = [w for w in answer["windows"] if w["azimuth_deg"] is not None and w["confidence"] > 0.5]
    assert len(sure) >= len(answer["windows"]) / 2
    published = next(t for t in model.record.tested if t.test == "unseen-world, clean")
    off = np.median([abs(w["azimuth_deg"] - TRUE) for w in sure])
    assert off <= published.figures["ad_mean"]
    assert answer["notes"] == []


def test_the_table_says_from_when_to_when_a_sound_was_where(folder: Path) -> None:
    done = bastzoo("predict", str(folder / "left.wav"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{folder / 'left.wav'}: 2.0 s, by the model default"
    assert lines[1].split() == ["from", "to", "azimuth", "where", "confidence"]
    assert any("° left" in line for line in lines[2:])
    every = bastzoo("predict", str(folder / "left.wav"), "--windows", "--hop-ms", "500")
    assert len(every.stdout.splitlines()) == 2 + 4
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80


def test_other_forms_say_the_same(folder: Path) -> None:
    rttm = bastzoo("predict", str(folder / "left.wav"), "--segments").stdout.splitlines()
    assert all(line.startswith("SPEAKER left 1 ") and len(line.split()) == 10 for line in rttm)
    csv = bastzoo("predict", str(folder / "left.wav"), str(folder / "left.wav"), "--csv")
    rows = csv.stdout.splitlines()
    assert rows[0].startswith("file,start_s,time_s,azimuth_deg,confidence,level_left_db")
    assert len(rows) == 1 + 2 * 7
    picture = folder / "where.svg"
    done = bastzoo("predict", str(folder / "left.wav"), "--plot", str(picture))
    assert done.returncode == 0, done.stderr
    assert "left.wav" in picture.read_text()


def test_raw_samples_are_answered_a_line_a_hop(folder: Path) -> None:
    sound, _ = soundfile.read(folder / "left.wav", dtype="int16")
    raw = folder / "left.raw"
    raw.write_bytes(sound.tobytes())
    words = ("predict", "-", "--hop-ms", "250")
    done = bastzoo(*words, stdin=raw)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 7
    assert lines[0].split()[:2] == ["0.50", "s"]
    assert sum("left" in line for line in lines) >= 5
    as_json = bastzoo(*words, "--json", "--ears", "2,1", stdin=raw)
    answers = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert np.median([answer["azimuth_deg"] for answer in answers]) < 0


def test_what_cannot_be_heard_is_a_sentence_and_the_rest_is_answered(folder: Path) -> None:
    alone = bastzoo("predict", str(folder / "mono.wav"))
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "mono.wav' is mono: with one ear nothing says where a sound is" in alone.stderr
    both = bastzoo("predict", str(folder / "mono.wav"), str(folder / "left.wav"))
    assert both.returncode == 1
    assert "left.wav: 2.0 s" in both.stdout
    assert "1 of 2 files could not be heard" in both.stderr
    for words, sentence in [
        (("predict", "defualt", "a.wav"), "Did you mean 'default'?"),
        (("predict", "nothing"), "'nothing' is no file. Give a recording"),
        (("predict", "a.wav", "--ears", "left"), "are no two channels; write LEFT,RIGHT"),
        (("predict", "a.wav", "--plot", "a.txt"), "is no picture; end its name in"),
        (("predict", "a.wav", "--csv", "--json"), "give one of them"),
        (("predict", "a.wav"), "'a.wav' cannot be read: No such file"),
        (("predict", "a.wav", "--rate", "8000"), "--rate: of raw samples (-)"),
        (("predict", "a.wav", "--device", "mps"), "torch sees none; use --device cpu"),
        (("export", "default", "ears.txt"), "'ears.txt' says no format"),
    ]:
        done = bastzoo(*words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert sentence in done.stderr


def golden_clips(ears: list[list[float]]) -> np.ndarray:
    """Noises that the left ear hears so many samples earlier, and the right one so many times as loud."""
    noise = np.random.default_rng(7).normal(size=(len(ears), 8_100)) * 0.1
    return np.stack(
        [
            [x[50:8_050], gain * x[50 - int(lead) : 8_050 - int(lead)]]
            for x, (lead, gain) in zip(noise, ears, strict=True)
        ]
    )


@pytest.mark.parametrize("name", bz.list_models(pretrained=True))
def test_models_that_ship_give_their_golden_answers(name: str) -> None:
    """Fails when weights, frontend or network change what a model answers."""
    golden = json.loads((ROOT / "tests" / "models" / "golden.json").read_text())
    found = bz.load(name)(golden_clips(golden["ears"]))
    assert isinstance(found, list)
    azimuth = [float(answer.azimuth[0]) for answer in found]
    off = (np.array(azimuth) - golden["azimuth_deg"][name] + 180) % 360 - 180
    np.testing.assert_allclose(off, 0, atol=0.02)
