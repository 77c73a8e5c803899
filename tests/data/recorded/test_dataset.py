"""Recorded data as training sees it: the rendered clips again, split by sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bastzoo.acoustics.sounds import SPLITS
from bastzoo.conditions import DataSource
from bastzoo.data.batches import ClipSet, DataSet
from bastzoo.data.environments import ri
from bastzoo.data.export import write_bast_folder
from bastzoo.data.recorded.conversion import Dtype
from bastzoo.data.recorded.dataset import RecordedData, open_recorded
from bastzoo.data.rendering.clips import RenderedData
from bastzoo.errors import DataError
from bastzoo.presets import DataSize
from bastzoo.registry import Component
from bastzoo.zoo.frontends import Spectrogram
from tests.data.recorded.made import FRONTEND, bast_folder, csv_index, samples, write_wave

SIZE = DataSize(train_sounds=3, validation_sounds=1, test_sounds=2, azimuth_step=90)


class Learning(Spectrogram):
    """A frontend with something to train."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))


def opened(
    path: Path,
    cache: Path,
    *,
    frontend: Component = FRONTEND,
    dtype: Dtype = "float32",
    **how: object,
) -> RecordedData:
    layout = "csv" if path.suffix == ".csv" else "bast"
    source = DataSource.model_validate({"layout": layout, "path": str(path), **how})
    return open_recorded(
        source, environment="RI", size=SIZE, frontend=frontend, cache=cache, dtype=dtype
    )


@pytest.fixture(scope="module")
def rendered() -> RenderedData:
    return RenderedData(environment=ri(), size=SIZE)


@pytest.fixture(scope="module")
def data(rendered: RenderedData, tmp_path_factory: pytest.TempPathFactory) -> RecordedData:
    folder = tmp_path_factory.mktemp("recorded")
    names = {"anechoic": "RI01", "lecture-hall": "RI02"}
    write_bast_folder(rendered, folder / "clips", room_names=names)
    return opened(folder / "clips", folder / "cache")


def test_features_of_another_precision_are_other_data(data: RecordedData, tmp_path: Path) -> None:
    half = opened(data.index.root, tmp_path, dtype="float16")
    assert half.digest != data.digest
    assert half.index.digest() == data.index.digest()


def test_the_test_clips_are_those_that_were_rendered(
    rendered: RenderedData, data: RecordedData
) -> None:
    original, again = rendered.split("test"), data.split("test")
    first = original.take(torch.arange(len(original)))
    second = again.take(torch.arange(len(again)))
    assert len(original) == len(again) == 2 * 2 * 4
    features = Spectrogram()(first.inputs)

    def name(clips: ClipSet, batch: object, row: int) -> tuple[object, ...]:
        room = clips.rooms[batch.rooms[row]]  # type: ignore[attr-defined]
        direction = batch.targets["direction"][row].round(decimals=3)  # type: ignore[attr-defined]
        return (
            clips.sound_ids[batch.sounds[row]],  # type: ignore[attr-defined]
            {"anechoic": "RI01", "lecture-hall": "RI02"}.get(room, room),
            *(direction + 0.0).tolist(),
        )

    places = {name(again, second, row): row for row in range(len(again))}
    for row in range(len(original)):
        found = second.inputs[places[name(original, first, row)]]
        error = (found - features[row]).abs()
        # 16 bits hold what lies 60 dB below a clip's loudest parts, and no more.
        assert error.median() < 0.05
        assert torch.corrcoef(torch.stack([found.flatten(), features[row].flatten()]))[0, 1] > 0.98


def test_waveforms_are_the_clips_to_16_bits(rendered: RenderedData, data: RecordedData) -> None:
    original = rendered.split("test")
    clips = data.waveforms("test")
    whole = original.take(torch.arange(len(original))).inputs
    for batch in clips.in_order(5):
        assert batch.inputs.shape[1:] == (2, 8000)
        gains = 2.0 ** torch.arange(-4, 5)[:, None, None, None, None]
        distance = (batch.inputs[:, None] - gains * whole[None]).abs().amax(dim=(3, 4))
        assert distance.amin(dim=(0, 2)).max() <= 0.5001 / 2**15


def test_it_keeps_the_contracts(data: RecordedData) -> None:
    assert isinstance(data, DataSet)
    for name in SPLITS:
        assert isinstance(data.split(name), ClipSet)
    assert data.feature_shape == (1, 129, 61)


def test_a_batch_is_the_same_in_any_order(data: RecordedData) -> None:
    train = data.split("train")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    whole = train.take(torch.arange(len(train)))
    some = train.take(order[:7])
    torch.testing.assert_close(some.inputs, whole.inputs[order[:7]], rtol=0, atol=0)
    assert some.sounds.tolist() == whole.sounds[order[:7]].tolist()
    assert some.inputs.dtype == torch.float32


def test_sounds_come_sound_by_sound_for_baselines(data: RecordedData) -> None:
    train = data.waveforms("train")
    order = train.sound_by_sound()
    assert sorted(order.tolist()) == list(range(len(train)))
    sounds = train.take(order).sounds
    assert (sounds.diff() >= 0).all()


def test_the_digest_is_that_of_contents_and_meaning(tmp_path: Path) -> None:
    one = bast_folder(tmp_path / "one")
    bast_folder(tmp_path / "two")
    cache = tmp_path / "cache"
    digest = opened(one, cache).digest
    assert opened(tmp_path / "two", cache).digest == digest
    wide = Component(
        kind="frontend",
        name="wide",
        target="bastzoo.zoo.frontends:Spectrogram",
        summary="-",
        parameters={"window_length": 512},
    )
    assert opened(one, cache, frontend=wide).digest == digest  # the run's key has the frontend
    assert opened(one, cache, azimuth_direction="counter-clockwise").digest != digest
    write_wave(one / "train" / "A000_RI01_s0.wav", samples(999))
    assert opened(one, cache).digest != digest


def test_skipped_rows_are_counted_and_gone(tmp_path: Path) -> None:
    folder = bast_folder(tmp_path / "set")
    write_wave(folder / "train" / "A000_RI01_s0.wav", samples(0, channels=1))
    write_wave(folder / "train" / "A005_RI01_s0.wav", samples(0))
    with pytest.raises(DataError, match="2 faults in all"):
        opened(folder, tmp_path / "cache")
    data = opened(folder, tmp_path / "cache", skip_bad=True)
    assert data.skipped == 2
    assert sum(len(data.split(name)) for name in SPLITS) == 6 * 2 * 4 - 1
    for name in SPLITS:
        split = data.split(name)
        for batch in split.in_order(16):
            assert (batch.inputs.flatten(1).std(dim=1) > 0.5).all()  # none is a hole of zeros


def test_a_frontend_that_learns_hears_the_clips(tmp_path: Path) -> None:
    learning = Component(
        kind="frontend",
        name="learning",
        target="tests.data.recorded.test_dataset:Learning",
        summary="-",
    )
    data = opened(bast_folder(tmp_path / "set"), tmp_path / "cache", frontend=learning)
    assert data.feature_shape is None
    assert data.split("train").take(torch.arange(3)).inputs.shape == (3, 2, 8000)


def test_a_csv_index_has_features_classes_and_elevation_and_no_clips(tmp_path: Path) -> None:
    rows = [
        {"class": f"c{n % 3}", "azimuth_deg": 0, "elevation_deg": 90 * (n % 2), "split": split}
        for n, split in enumerate(["train"] * 6 + ["validation"] * 3 + ["test"] * 3)
    ]
    path = csv_index(tmp_path / "set", rows)
    ready = Component(
        kind="frontend",
        name="precomputed",
        target="bastzoo.zoo.frontends:Precomputed",
        summary="-",
    )
    data = opened(path, tmp_path / "cache", frontend=ready)
    assert data.feature_shape == (1, 6, 5)
    batch = data.split("train").take(torch.arange(6))
    assert data.split("train").classes == ("c0", "c1", "c2")
    np.testing.assert_allclose(batch.targets["direction"][1], [0, 0, 1], atol=1e-6)
    with pytest.raises(DataError, match="holds spectrograms and no clips"):
        data.waveforms("train")
