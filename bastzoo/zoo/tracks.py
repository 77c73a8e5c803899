"""The tracks that bastzoo asks: one question each about a design. docs/protocol.md says more of them.

As of a plugin, each is a function that a record names (`bastzoo.zoo.offered`); none of it imports torch.
"""

from __future__ import annotations

from bastzoo.conditions import (
    FAMILY_FOR_TEST,
    FAMILY_FOR_TRAINING,
    INDIVIDUALS_FOR_TEST,
    MIXED_SNR,
    USUAL,
    Case,
    Condition,
    Noise,
    Track,
)
from bastzoo.metrics.questions import QUESTIONS

_ENVIRONMENTS = ("RI01", "RI02", "RI")
"""The environments of the papers, which the cross-environment track takes in turns."""

_DURATIONS_MS = (100.0, 200.0, 300.0, 400.0, 500.0)


def cross_environment() -> Track:
    """Trained in each environment of the papers, tested in all."""
    return _track(
        "cross-environment",
        [Case(name, environment=name) for name in _ENVIRONMENTS],
        environments=_ENVIRONMENTS,
    )


def snr() -> Track:
    """Diffuse speech-shaped noise, trained clean and on a mixture."""
    return _noise_track("snr", "speech")


def snr_white() -> Track:
    """Diffuse white noise, trained clean and on a mixture."""
    return _noise_track("snr-white", "white")


def duration() -> Track:
    """The first 100 to 500 ms."""
    # All of it is the usual condition, so that it is the same test.
    shown = [(ms, ms if ms != _DURATIONS_MS[-1] else None) for ms in _DURATIONS_MS]
    return _track(
        "duration", [Case(f"{ms:g} ms", Condition(duration_ms=kept)) for ms, kept in shown]
    )


def unseen_head() -> Track:
    """Eight virtual listeners to train on, four others to test with."""
    return _track(
        "unseen-head",
        [
            Case("heads 1-8", Condition(listeners=FAMILY_FOR_TRAINING)),
            Case("heads 9-12", Condition(listeners=FAMILY_FOR_TEST)),
        ],
        conditions=(Condition(listeners=FAMILY_FOR_TRAINING),),
    )


def off_grid() -> Track:
    """On the grid of azimuths, and halfway between."""
    between = Condition(directions="between")
    return _track("off-grid", [Case("on the grid"), Case("between", between)])


def full_sphere() -> Track:
    """All round the sphere, by a head that answers elevation."""
    sphere = Condition(directions="sphere")
    return _track("full-sphere", [Case("sphere", sphere)], conditions=(sphere,), head="direction")


def multitask() -> Track:
    """What and where, all round the sphere, in both rooms of the papers."""
    sphere = Condition(directions="sphere")
    cases = [Case(room, sphere, environment=room) for room in ("RI01", "RI02")]
    return _track("multitask", cases, conditions=(sphere,), head="direction+class")


def sources() -> Track:
    """One to three sounds at once."""
    return _track(
        "sources",
        [Case(f"{n} source{'s' * (n > 1)}", Condition(sources=(n,))) for n in (1, 2, 3)],
        conditions=(Condition(sources=(1, 2, 3)),),
        head="multi",
    )


def unseen_world() -> Track:
    """Made rooms, places, ears and sounds that are all new: what holds outside, without a download."""
    people = INDIVIDUALS_FOR_TEST
    noisy = Condition(listeners=people, colour_db=4.0, snr_span=(5.0, 20.0))
    return _track(
        "unseen-world",
        [
            Case("clean", Condition(listeners=people), "wild"),
            Case("running", Condition(listeners=people, running=1.0, colour_db=4.0), "wild"),
            Case("noisy", noisy, "wild"),
        ],
    )


def measured_rooms() -> Track:
    """Surrey's four rooms, each with its own ears (bastzoo-measured)."""
    return _track(
        "measured-rooms", [Case(f"room {room}", environment=f"surrey/{room}") for room in "ABCD"]
    )


def left_out_room() -> Track:
    """Surrey's rooms, trained in three and tested in all: the fourth is the question (bastzoo-measured)."""
    return _track(
        "left-out-room",
        [Case(f"room {room}", environment=f"surrey/{room}") for room in "ABCD"],
        environments=tuple(f"surrey/{'ABCD'.replace(room, '')}" for room in "ABCD"),
    )


def measured_heads() -> Track:
    """The last five people of CIPIC by name, anechoic (bastzoo-measured)."""
    people = ("152", "154", "156", "162", "165")
    return _track(
        "measured-heads", [Case(f"person {one}", environment=f"cipic/{one}") for one in people]
    )


def _noise_track(name: str, noise: Noise) -> Track:
    labels = ["clean" if level is None else f"{level:g} dB" for level in MIXED_SNR]
    return _track(
        name,
        [
            Case(label, Condition(snr_db=(level,), noise=noise))
            for label, level in zip(labels, MIXED_SNR, strict=True)
        ],
        conditions=(USUAL, Condition(snr_db=MIXED_SNR, noise=noise)),
    )


def _track(
    name: str,
    cases: list[Case],
    *,
    conditions: tuple[Condition, ...] = (USUAL,),
    environments: tuple[str, ...] = (),
    head: str = "azimuth",
) -> Track:
    return Track(name, QUESTIONS[name], tuple(cases), conditions, environments, head)
