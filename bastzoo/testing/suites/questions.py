"""Promises of what is asked of runs: metrics and tracks."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np

from bastzoo.conditions import Track
from bastzoo.directions import direction_from_angles
from bastzoo.metrics.metric import Figures, Metric
from bastzoo.testing.suite import ComponentSuite

_CLIPS = 24


class MetricSuite(ComponentSuite):
    """Promises of a metric: figures of answers."""

    kind = "metric"

    def build(self) -> Metric:
        """Build the metric."""
        metric = self.record.build()
        assert isinstance(metric, Metric), f"its target returns a {type(metric).__name__}"
        return metric

    def arrays(self, clips: int = _CLIPS) -> dict[str, np.ndarray]:
        """Answers that are 10 degrees off, each with a number for what else the metric needs."""
        azimuth = np.arange(clips) * 15.0
        return {
            "directions": direction_from_angles(azimuth + 10),
            "targets": direction_from_angles(azimuth),
            "sounds": np.arange(clips) // 4,
            "rooms": np.zeros(clips, dtype=np.int64),
        }

    def test_figures_have_words_and_definitions(self) -> None:
        """Every figure has words and a definition, and a name that can be typed."""
        metric = self.build()
        assert metric.figures, "it has no figure"
        for name, figure in metric.figures.items():
            assert name.isidentifier(), f"{name!r} is no name for a figure"
            assert figure.words.strip(), f"{name} has no words"
            assert figure.definition.strip(), f"{name} has no definition"

    def test_figures_are_numbers(self) -> None:
        """It computes the figures that it defines, as finite numbers or None."""
        metric = self.build()
        for name, value in self._computed(metric).items():
            assert name in metric.figures, f"it computes {name}, which it does not define"
            assert value is None or np.isfinite(value), f"{name} is {value}"
            assert value is None or isinstance(value, int | float), f"{name} is no plain number"

    def test_no_clips_have_no_figures(self) -> None:
        """Of no clips at all it computes None, or a count, and raises nothing."""
        for name, value in self._computed(self.build(), clips=0).items():
            assert value is None or np.isfinite(value), f"{name} of no clips is {value}"

    def test_answers_without_a_direction_raise_nothing(self) -> None:
        """An answer that is NaN is counted, not spread: every figure stays finite."""
        metric = self.build()
        arrays = self._needed(metric)
        arrays["directions"][3] = np.nan
        for name, value in metric.compute(arrays).items():
            assert value is None or np.isfinite(value), f"{name} is {value}"

    def test_the_order_does_not_matter(self) -> None:
        """The same answers in another order have the same figures."""
        metric = self.build()
        arrays = self._needed(metric)
        order = np.random.default_rng(0).permutation(_CLIPS)
        first, second = (
            metric.compute(a) for a in (arrays, {n: v[order] for n, v in arrays.items()})
        )
        for name, value in first.items():
            other = second[name]
            if value is None or other is None:
                same = value is other
            else:
                same = bool(np.isclose(value, other, rtol=1e-9, atol=1e-9))
            assert same, f"{name} is {value} in one order and {other} in another"

    def test_arrays_are_left_as_they_are(self) -> None:
        """The arrays that it is given are not changed."""
        metric = self.build()
        arrays = self._needed(metric)
        before = {name: value.copy() for name, value in arrays.items()}
        metric.compute(arrays)
        for name, value in before.items():
            assert np.array_equal(arrays[name], value), f"it writes into {name}"

    def _computed(self, metric: Metric, clips: int = _CLIPS) -> Figures:
        return metric.compute(self._needed(metric, clips))

    def _needed(self, metric: Metric, clips: int = _CLIPS) -> dict[str, np.ndarray]:
        arrays = self.arrays(clips)
        if missing := [name for name in metric.needs if name not in arrays]:
            raise SkipTest(
                f"it needs {', '.join(missing)}; give them in `arrays` of a class of your own"
            )
        return arrays


class TrackSuite(ComponentSuite):
    """Promises of a track: a question, and the cases that answer it."""

    kind = "track"

    def build(self) -> Track:
        """Build the track."""
        track: Track = self.record.build()
        return track

    def test_it_has_its_name_and_version(self) -> None:
        """It has the name and the version of its record: results are filed under both."""
        track = self.build()
        assert track.name == self.record.name, (
            f"it calls itself {track.name!r}, and its record {self.record.name!r}"
        )
        assert track.version == self.record.version, (
            f"it is version {track.version}, and its record says {self.record.version}"
        )

    def test_it_asks_a_question(self) -> None:
        """It asks something, which stands above its table."""
        question = self.build().question
        assert question.strip(), "it has no question"
        assert "\n" not in question, "its question is more than one line"

    def test_its_cases_can_be_told_apart(self) -> None:
        """It has at least one case; each has a label and a test of its own."""
        cases = self.build().cases
        assert cases, "it has no case"
        labels = [case.label for case in cases]
        assert all(label.strip() for label in labels), "a case has no label"
        assert len(set(labels)) == len(labels), f"two cases have one label: {', '.join(labels)}"
        tests = [(case.condition, case.environment) for case in cases]
        assert len(set(tests)) == len(tests), "two cases are the same test"

    def test_something_is_trained_for_it(self) -> None:
        """It names at least one condition to train under."""
        assert self.build().conditions, "it trains under no condition"

    def test_it_is_the_same_every_time(self) -> None:
        """It is the same at every build: results are named after it."""
        assert self.build() == self.build(), "two builds differ"
