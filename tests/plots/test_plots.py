"""Pictures show what the records say: their artists hold the values, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bastzoo as bz
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.errors import BastzooError, RecordError, SetupError
from bastzoo.metrics.localization import angular_distance, hemifield_gap
from bastzoo.plots.around import closed
from bastzoo.plots.conditions import OCTAVES, loudest_octave
from bastzoo.plots.facts import facts_of
from bastzoo.plots.results import NothingToDrawError, Result, designs, plain, read_results
from bastzoo.plots.style import PALETTE, STYLES, colour_of, looks
from bastzoo.records.record import RunRecord
from tests.plots.conftest import RECORDS, Make
from tests.records.made import answers_record

# Of runs; the one of a recording is drawn in tests/cli/test_predict.py.
ALL = [name for name in bz.plot.__all__ if name.islower() and name != "azimuth_over_time"]
GRID = [*range(-170, 181, 10)]
HOSTILE = "<script>alert(1)</script>|a\nb\u202e\u200f$x^2$_" + "n" * 200


def quick(*beginnings: str) -> list[Result]:
    files = [
        path for one in beginnings for path in sorted((RECORDS / "quick").glob(f"{one}*.json"))
    ]
    return [result for path in files for result in read_results(str(path))]


def curves(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines}


def test_error_is_drawn_at_its_azimuth_front_up_and_left_on_the_left(record: RunRecord) -> None:
    (axes,) = bz.plot.azimuth_error(record)
    assert axes.get_theta_offset() == pytest.approx(math.pi / 2)  # front up
    assert axes.get_theta_direction() == 1  # counter-clockwise: +90 on the left
    (line,) = axes.lines
    assert record.evaluation is not None
    by_azimuth = {p["azimuth"]: p["ad_mean"] for p in record.evaluation.by_azimuth}
    drawn = {round(math.degrees(a)): r for a, r in zip(*line.get_data(), strict=True)}
    for azimuth, error in by_azimuth.items():
        assert drawn[round(float(azimuth or 0))] == error
    assert [t.get_text() for t in axes.get_xticklabels()][:3] == ["0° front", "45°", "90°\nleft"]
    x, y = axes.transData.transform((math.pi / 2, 1.0)) - axes.transData.transform((0.0, 0.0))
    assert x < 0
    assert y == pytest.approx(0, abs=1e-6)


def test_panels_have_one_scale_and_the_largest_error_fits(make: Make) -> None:
    one, other = make(GRID, GRID, name="vanilla"), make(GRID, [a + 40 for a in GRID], name="mamba")
    assert other.record.experiment is not None
    moved = other.record.experiment.model_copy(update={"environment": "RI01"})
    other = Result(other.record.model_copy(update={"experiment": moved}), other.folder)
    axes = bz.plot.azimuth_error([one, other])
    assert len(axes) == 2
    limits = {panel.get_ylim() for panel in axes}
    assert len(limits) == 1
    assert limits.pop()[1] >= 40


def test_no_line_crosses_what_nobody_measured() -> None:
    angles, values = closed(np.arange(-90.0, 91, 10), np.ones(19))
    assert np.isnan(values[-1])
    assert angles[-1] == 180
    angles, values = closed(np.array(GRID, dtype=float), np.ones(36))
    assert np.isfinite(values).all()
    assert angles[-1] - angles[0] == 360


def test_seeds_share_a_line_which_is_their_mean(record: RunRecord) -> None:
    both = quick("vanilla-SUB-AD-SP-RI-quick")
    assert len(both) == 5
    (axes,) = bz.plot.azimuth_error(both)
    (line,) = axes.lines
    front = [next(p for p in r.evaluation.by_azimuth if p["azimuth"] == 0)["ad_mean"] for r in both]
    drawn = {round(math.degrees(a)): r for a, r in zip(*line.get_data(), strict=True)}
    assert drawn[0] == pytest.approx(np.mean([float(one or 0) for one in front]))


def test_bias_has_the_sign_of_the_convention(make: Make) -> None:
    axes = bz.plot.bias(make(GRID, [a + 5 for a in GRID]))
    drawn = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert np.allclose(drawn[0].get_ydata(), 5)


def test_the_distribution_counts_every_answer_where_it_is(make: Make) -> None:
    (axes,) = bz.plot.prediction_distribution(make([0, 0, 90, -90], [90, 91, 90, -90]))
    shares = {
        round(math.degrees(bar.get_x() + bar.get_width() / 2)): bar.get_height()
        for bar in axes.patches
        if bar.get_height()
    }
    assert shares == {90: 75.0, -90: 25.0}


def test_true_against_predicted_shows_confusions_on_the_marked_diagonal(make: Make) -> None:
    (axes,) = bz.plot.true_against_predicted(make([30, 30, -30, -30], [150, 30, -150, -30]))
    table = axes.collections[0].get_array()
    rows, columns = np.nonzero(table.filled(0) > 0)
    drawn = {
        (10 * c - 180, 5 * r - 180): float(table[r, c]) for r, c in zip(rows, columns, strict=True)
    }
    assert drawn == {(30, 30): 0.5, (30, 150): 0.5, (-30, -30): 0.5, (-30, -150): 0.5}
    marked = [line.get_xydata() for line in axes.lines if line.get_linestyle() == "--"]
    for true, said in [(30, 150), (-30, -150)]:
        assert any(
            ends[0, 0] <= abs(true)
            and abs(said) == 180 - abs(true)
            and (ends.sum(axis=1) == np.sign(true) * 180).all()
            for ends in marked
        )


def test_the_sides_are_those_of_the_record_and_so_is_the_test(make: Make) -> None:
    rng = np.random.default_rng(0)
    true = np.array(GRID * 4)
    result = make(true, true + rng.normal(0, 5, len(true)) * np.where(true > 0, 3, 1))
    axes = bz.plot.hemifields(result)
    left, right = axes.lines[0].get_ydata()
    metrics = result.evaluation.metrics
    assert left - right == pytest.approx(metrics["hemifield_gap"])
    assert (
        f"p = {metrics['hemifield_gap_p']:.3f}" in axes.lines[0].get_label()
        or metrics["hemifield_gap_p"] < 0.001
    )


def test_the_test_of_several_seeds_is_of_their_mean(make: Make) -> None:
    rng = np.random.default_rng(1)
    true = np.array(GRID * 4)
    seeds = [make(true, true + rng.normal(0, 5, len(true)), seed=seed) for seed in (0, 1)]
    label = bz.plot.hemifields(seeds).lines[0].get_label()
    found = [seed.predictions for seed in seeds]
    ad = np.mean([angular_distance(f["directions"], f["targets"]) for f in found if f], axis=0)
    assert found[0] is not None
    lateral = np.degrees(np.arcsin(np.clip(found[0]["targets"][:, 1], -1, 1)))
    _, p = hemifield_gap(ad, lateral, found[0]["sounds"])
    assert label.endswith(f"p = {p:.3f}")


def test_learning_curves_are_of_all_seeds(make: Make) -> None:
    history = "step,loss,validation_ad\n1,0.5,{}\n2,0.4,8\n"
    runs = [make(GRID, GRID, seed=seed, history=history.format(9 + seed)) for seed in (0, 1)]
    lines = [line for line in bz.plot.learning_curves(runs).lines if len(line.get_xdata()) == 2]
    assert [list(line.get_ydata()) for line in lines] == [[9, 8], [10, 8]]
    assert len({line.get_color() for line in lines}) == 1


@pytest.mark.parametrize(("name", "track"), [("snr", "snr"), ("duration", "duration")])
def test_curves_of_tracks_are_those_of_the_records_the_papers_in_grey(
    name: str, track: str
) -> None:
    (result,) = quick("mamba-SUB-MIX-SP-RI-quick-seed0")
    axes = getattr(bz.plot, name)(result)
    found = result.on_track(track)
    assert found is not None
    (own,) = [line for line in axes.lines if line.get_label().startswith("mamba")]
    assert list(own.get_ydata()) == [
        pytest.approx(c.evaluation.metrics["ad_mean"]) for c in found.cases
    ]
    grey = [line for line in axes.lines if line.get_color() == STYLES["paper"].faint]
    assert len(grey) > 1
    if name == "duration":
        assert list(grey[0].get_xydata()[0]) == [100, 6.97]  # the paper's first point


def test_rooms_listeners_and_classes_are_those_of_the_records() -> None:
    (result,) = quick("baseline-ITD_ILD-RI")
    rooms = bz.plot.room_error(result)
    labels = [t.get_text() for t in rooms.get_yticklabels()]
    assert labels == ["anechoic", "lecture-hall", "room A", "room B", "room C", "room D"]
    listeners = bz.plot.listener_error(result)
    assert listeners.get_yticklabels()[0].get_text() == "person 152"
    values = bz.plot.class_error(result).lines[0].get_xdata()
    by_sound = result.evaluation.by_sound
    clips = [
        ad
        for sound, ad in zip(by_sound["sounds"], by_sound["ad_mean"], strict=True)
        if sound.startswith("noise-bursts-")
    ]
    assert values[0] == pytest.approx(np.mean(clips))
    bands = bz.plot.frequency_error(result)
    errors: dict[int | None, list[float]] = {}
    for sound, ad in zip(by_sound["sounds"], by_sound["ad_mean"], strict=True):
        errors.setdefault(loudest_octave(sound), []).append(ad)
    assert bands.lines[0].get_xdata() == pytest.approx([np.mean(errors[f]) for f in OCTAVES])
    assert bands.get_yticklabels()[3].get_text() == "1,000 Hz"
    assert loudest_octave(make_corpus([3], 0).ids[0]) in OCTAVES
    assert loudest_octave("noise-bursts-0-4") is None  # number 4 is another family's


def test_heads_that_answer_more_have_their_own_pictures(make: Make) -> None:
    said = np.array([0, 1, 1, 1])
    radii = np.tile(np.arange(1.0, 10.0), (4, 1))
    result = make(
        [0, 90, 180, -90],
        [0, 93.5, 180, -90],
        **{"class": said, "true_class": np.array([0, 0, 1, 1]), "radii": radii},
    )
    (axes,) = bz.plot.class_confusion(result)
    assert np.allclose(axes.images[0].get_array(), [[0.5, 0.5], [0, 1]])
    assert axes.get_yticklabels()[0].get_text() == "<b>rain</b>"
    coverage, error = bz.plot.calibration(result)
    drawn = next(line for line in coverage.lines if line.get_label().startswith("vanilla"))
    assert list(drawn.get_ydata()) == [75, 75, 75, 100, 100, 100, 100, 100, 100]
    assert np.mean(error.lines[0].get_ydata()) == pytest.approx(3.5 / 4)


def test_a_component_has_one_colour_in_every_picture_and_another_one_has_another() -> None:
    some = designs(quick("mamba-SUB-MIX-SP-RI", "swin-SUB-MIX-SP-RI"))
    more = designs(quick("vanilla-SUB-MIX-SP-RI", "mamba-SUB-MIX-SP-RI", "baseline-chance"))
    style = STYLES["paper"]
    assert looks(some, style)[0].colour == looks(more, style)[1].colour == colour_of("mamba")
    assert looks(more, style)[2].colour == style.faint
    assert colour_of("a-plugin/of-mine") in PALETTE
    same = looks(designs(quick("vanilla-SUB-MIX-SP-RI", "vanilla-SUB-MIX-NSP-RI")), style)
    assert same[0].colour != same[1].colour  # they differ in the sharing, which has colours too


def test_labels_say_what_differs_and_differ() -> None:
    assert [d.label for d in designs(quick("mamba-SUB-MIX-SP-RI", "swin-SUB-MIX-SP-RI"))] == [
        "mamba",
        "swin",
    ]
    assert designs(quick("mamba-SUB-MIX-SP-RI"))[0].label == "mamba/SUB/MIX/SP"


def test_answers_from_elsewhere_are_drawn_under_their_name() -> None:
    (design,) = designs([Result(answers_record("my method"))])
    assert design.label == "my method (scored from answers)"
    assert facts_of(design)["name"] == "my method (scored from answers)"


def test_names_are_shown_on_one_line_and_short() -> None:
    shown = plain(HOSTILE)
    assert len(shown) < 70
    assert shown.isprintable()
    assert not plain("_hidden").startswith("_")


@pytest.mark.parametrize("case", ["one azimuth", "one clip", "all NaN", "hostile", "alone"])
def test_bad_input_is_drawn_or_refused_in_a_sentence(
    case: str, make: Make, record: RunRecord
) -> None:
    runs: Any = {
        "one azimuth": lambda: make([30] * 5, [30, 31, 29, 150, 30]),
        "one clip": lambda: make([30], [31]),
        "all NaN": lambda: make(GRID, [math.nan] * 36),
        "hostile": lambda: make(GRID, GRID, name=HOSTILE, rooms=(HOSTILE,)),
        "alone": lambda: record,
    }[case]()
    drawn = {}
    for name in ALL:
        try:
            drawn[name] = np.ravel(getattr(bz.plot, name)(runs))[0].figure
        except NothingToDrawError as gap:
            drawn[name] = str(gap)
    assert all(
        drawn[n].endswith((".", ".)", "`).", ").")) for n in drawn if isinstance(drawn[n], str)
    )
    figures = {name: figure for name, figure in drawn.items() if not isinstance(figure, str)}
    assert {"azimuth_error", "room_error", "class_error"} <= {*figures}
    assert isinstance(drawn["true_against_predicted"], str) == (case in ("all NaN", "alone"))
    assert max(figure.get_size_inches().max() for figure in figures.values()) < 12
    if case == "hostile":
        for figure in figures.values():
            figure.draw_without_rendering()


def test_a_picture_that_needs_predictions_says_that_there_are_none(record: RunRecord) -> None:
    with pytest.raises(NothingToDrawError, match="predictions are not beside its record"):
        bz.plot.true_against_predicted(record)


def test_what_is_no_run_is_said(tmp_path: Path, record: RunRecord) -> None:
    (tmp_path / "empty").mkdir()
    for reference, sentence in [
        (str(tmp_path / "empty"), "There is no run in the folder"),
        (str(tmp_path / "nowhere"), "There is no run"),
        (str(next((RECORDS / "snr").glob("track-*"))), "result on a track"),
    ]:
        with pytest.raises(RecordError, match=sentence):
            read_results(reference)
    failed = record.model_copy(update={"status": "failed", "evaluation": None})
    with pytest.raises(NothingToDrawError, match="No run of these has finished"):
        bz.plot.azimuth_error(failed)
    with pytest.raises(SetupError, match="no style 'neon'"):
        bz.plot.azimuth_error(record, style="neon")


def test_damaged_predictions_are_said(make: Make) -> None:
    result = make(GRID, GRID)
    assert result.folder is not None
    (result.folder / "predictions.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(BastzooError, match="cannot be read"):
        bz.plot.true_against_predicted(result)
