import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastzoo.acoustics.draws import Draw
from bastzoo.acoustics.sounds.corpus import CORPUS_VERSION, FAMILIES, Corpus, make_corpus
from bastzoo.errors import DataError


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return make_corpus(range(240), seed=0)


def test_the_corpus_is_the_same_on_every_machine() -> None:
    """When this fails because a sound was changed on purpose, raise CORPUS_VERSION too."""
    steps = (make_corpus(range(36), seed=7).samples * 2**15).astype("<i2")
    golden = {1: "1fac36ff8137a477fb307afc72f85a75a3d4076ddec79c3dc49c011f67c5e0d5"}
    assert hashlib.sha256(steps.tobytes()).hexdigest() == golden[CORPUS_VERSION]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=5), st.integers(0, 2**63))
def test_a_sound_depends_on_seed_and_index_alone(indices: list[int], seed: int) -> None:
    together = make_corpus(indices, seed)
    for row, index in enumerate(indices):
        alone = make_corpus([index], seed)
        np.testing.assert_array_equal(together.samples[row], alone.samples[0])
        assert together.ids[row] == alone.ids[0]


def test_other_seeds_and_indices_give_other_sounds(corpus: Corpus) -> None:
    assert len({row.tobytes() for row in corpus.samples}) == len(corpus)
    assert len(set(corpus.ids)) == len(corpus)
    other = make_corpus(range(240), seed=1)
    assert not {row.tobytes() for row in corpus.samples} & {row.tobytes() for row in other.samples}


def test_samples_are_16_bit_steps_that_do_not_clip(corpus: Corpus) -> None:
    steps = corpus.samples * 2.0**15
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert np.abs(corpus.samples).max() < 1.0
    assert corpus.samples.shape == (240, 8_000)
    assert corpus.samples.dtype == np.float32


def test_classes_are_balanced_and_named(corpus: Corpus) -> None:
    assert len(FAMILIES) >= 10
    np.testing.assert_array_equal(np.bincount(corpus.families), [240 / len(FAMILIES)] * 12)
    assert all(FAMILIES[k] in name for k, name in zip(corpus.families, corpus.ids, strict=True))


def test_levels_vary_within_a_sensible_range(corpus: Corpus) -> None:
    decibels = 20 * np.log10(np.sqrt(np.square(corpus.samples, dtype=np.float64).mean(-1)))
    assert decibels.max() <= -19.9
    assert decibels.min() >= -45.0
    assert decibels.std() > 2.0


def test_every_sound_is_rich_enough_to_be_localized(corpus: Corpus) -> None:
    """Several octaves, an early onset, and change over time: what interaural cues live on."""
    power = np.abs(np.fft.rfft(corpus.samples, axis=-1)) ** 2
    octaves = [power[:, low // 2 : low].sum(-1) for low in (250, 500, 1_000, 2_000, 4_000)]
    shares = 10 * np.log10(np.stack(octaves, -1) / power.sum(-1, keepdims=True))
    assert ((shares > -25).sum(-1) >= 2).all()

    frames = np.square(corpus.samples, dtype=np.float64).reshape(len(corpus), 50, 160).mean(-1)
    assert ((frames > frames.max(-1, keepdims=True) / 100).argmax(-1) <= 10).all()
    spread = 10 * np.log10(np.percentile(frames, 95, -1) / np.percentile(frames, 10, -1))
    assert np.median(spread) > 10.0
    assert spread.min() > 1.5


def test_no_part_of_a_sound_is_digital_silence(corpus: Corpus) -> None:
    """The noise floor keeps spectrogram bins from being rounding error."""
    frames = np.abs(corpus.samples).reshape(len(corpus), 50, 160).max(-1)
    assert (frames > 0).all()


@pytest.mark.parametrize(("index", "seed"), [(-1, 0), (0, -1), (2**64, 0)])
def test_numbers_out_of_range_are_refused_in_a_sentence(index: int, seed: int) -> None:
    with pytest.raises(DataError, match="out of range"):
        make_corpus([index], seed)


def test_draws_follow_their_distributions() -> None:
    draw = Draw(3, 4)
    unit, normal = draw.fractions(100_000), draw.normal(100_001)
    assert 0 <= unit.min() < 1e-3
    assert 1 - 1e-3 < unit.max() < 1
    assert abs(unit.mean() - 0.5) < 0.005
    assert len(normal) == 100_001
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.01
    whole = {draw.integer(2, 4) for _ in range(100)}
    assert whole == {2, 3, 4}
    assert all(3 <= draw.log_uniform(3, 80) <= 80 for _ in range(100))
