"""Promises of models with weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bastzoo.models.localizer import Localizer, Prediction
from bastzoo.models.sharing.package import CARD_FILE, MODEL_FILE, read_model_record, read_package
from bastzoo.testing.suite import ComponentSuite


class ModelSuite(ComponentSuite):
    """Promises of a model: it can be loaded from its folder, answers, and says what it is."""

    kind = "model"

    def build(self) -> Path:
        """The model's folder."""
        return Path(self.record.build())

    def test_it_can_be_loaded(self) -> None:
        """Its folder has weights that are those of its record, for components that are installed."""
        read_package(self.build(), self.registry)

    def test_it_answers_directions(self) -> None:
        """It answers a direction for noise, none for silence, and the same one twice."""
        localizer = Localizer(*read_package(self.build(), self.registry))
        samples = localizer.record.clip_samples
        sound = np.random.default_rng(0).normal(size=(2, samples)).astype(np.float32) * 0.1
        pair = localizer(np.stack([sound, 0 * sound]))
        assert isinstance(pair, list)
        heard, silent = pair
        assert heard.heard.all(), "noise has no direction"
        assert not silent.heard.any(), "silence has a direction"
        again = localizer(sound)
        assert isinstance(again, Prediction)
        off = np.abs(again.direction - heard.direction).max()
        assert off < 1e-5, f"noise has another direction the second time, off by {off:.1e}"

    def test_it_says_what_it_is(self) -> None:
        """Its record says what trained it and what it is worth, and its folder has a card."""
        folder = self.build()
        record = read_model_record(folder / MODEL_FILE)
        assert record.trained_on is not None, "it does not say what it was trained on"
        assert record.tested, "it names no figure of a test"
        assert record.licence, "it has no licence"
        assert (folder / CARD_FILE).is_file(), f"it has no {CARD_FILE}"
