"""What is heard: where clips come from, under which conditions, and the tracks that are made of them.

All are data, without torch, so that an experiment can be planned and a mistake answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from bastzoo.errors import CombinationError, unknown_name

Noise = Literal["speech", "white"]
Directions = Literal["grid", "between", "sphere"]
Layout = Literal["rendered", "bast", "csv"]

CLEAN: None = None
"""The SNR of a clip without noise."""

MIXED_SNR: tuple[float | None, ...] = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, CLEAN)
"""The SNRs of the protocol, dB: what a mixture draws from."""

FAMILY_FOR_TRAINING = tuple(range(1, 9))
FAMILY_FOR_TEST = tuple(range(9, 13))
"""Numbers of the virtual listeners that the track `unseen-head` trains on and tests with."""

INDIVIDUALS_FOR_TRAINING = tuple(range(101, 125))
INDIVIDUALS_FOR_TEST = tuple(range(201, 209))
"""Numbers of virtual listeners that differ as people do: those of `wild`, and those it never hears."""


ALL_ROOMS = "recorded"
"""What a manifest's rooms are called together, and one whose rows name none."""

_LATER = (
    "sources",
    "colour_db",
    "ear_colour_db",
    "level_db",
    "mismatch_db",
    "running",
    "snr_span",
    "mirrored",
    "open_air",
)
"""Fields that conditions did not have from the beginning."""


class Condition(BaseModel):
    """How the sounds of a split are heard, beyond their environment.

    listeners: 0 is the data's own listener, from 1 on members of the family of virtual listeners; every
        sound is heard with each.
    snr_db: signal-to-noise ratios; each clip gets one of them, drawn by its index. None: no noise.
    noise: a diffuse field of speech-shaped or white noise.
    duration_ms: how much of the clip is heard, from its beginning; the rest is silence. None: all.
    directions: the azimuths of the grid, those halfway between them, or a grid over the sphere.
    sources: numbers of sounds that are heard at the same time; each clip has one of them, drawn by its
        index, and the further sounds and their directions are drawn by it too.
    colour_db, ear_colour_db: standard deviation of a smooth gain over frequency, dB: of the source, common
        to both ears (loudspeakers, voices, distance), and of each ear (microphones, ears not measured).
    level_db, mismatch_db: standard deviation of a clip's level, dB, and of the gain of each ear by itself.
    running: share of clips that are cut out of running sound instead of beginning out of silence.
    snr_span: white noise, independent at the ears, at a ratio drawn evenly from this span, dB.
    mirrored: whether half of the training clips have their ears exchanged, and left for right.
    open_air: whether the scenes have no walls: the same listeners and places, and nothing is reflected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Records and digests say "heads", as they did before the word was the output heads' alone.
    listeners: tuple[Annotated[int, Field(ge=0, le=10**6)], ...] = Field(
        default=(0,), validation_alias=AliasChoices("listeners", "heads"), max_length=10_000
    )
    snr_db: tuple[Annotated[float, Field(ge=-1000, le=1000)] | None, ...] = Field(
        default=(CLEAN,), max_length=1_000
    )
    noise: Noise = "speech"
    duration_ms: float | None = Field(default=None, gt=0, le=500)
    directions: Directions = "grid"
    sources: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(1,), max_length=100)
    colour_db: float = Field(default=0.0, ge=0, le=20)
    ear_colour_db: float = Field(default=0.0, ge=0, le=20)
    level_db: float = Field(default=0.0, ge=0, le=20)
    mismatch_db: float = Field(default=0.0, ge=0, le=20)
    running: float = Field(default=0.0, ge=0, le=1)
    snr_span: tuple[float, float] | None = None
    mirrored: bool = False
    open_air: bool = False

    @model_serializer(mode="wrap")
    def _plain(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Spell a condition as records do, so that old ones keep their digests.

        Listeners are "heads" there, and what came later is named only where it is used.
        """
        given = handler(self)
        values = {"heads" if name == "listeners" else name: value for name, value in given.items()}
        for name in _LATER:
            if getattr(self, name) == type(self).model_fields[name].default:
                values.pop(name, None)
        return values

    @property
    def names_scenes(self) -> bool:
        """Whether something is asked for that only clips of scenes have."""
        return any(
            getattr(self, name) != type(self).model_fields[name].default
            for name in _LATER
            if name != "sources"
        )

    @field_validator("listeners", "snr_db", "sources")
    @classmethod
    def _some(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if not values:
            raise ValueError("give at least one")
        return values

    @model_validator(mode="after")
    def _several_sources_are_clean(self) -> Condition:
        if self.sources != (1,) and self.snr_db != (CLEAN,):
            raise ValueError("a clip of several sources has no noise: its ratio would mean nothing")
        return self

    @model_validator(mode="before")
    @classmethod
    def _no_noise_has_no_kind(cls, values: Any) -> Any:
        """Two conditions without noise are one, whichever noise they do not have."""
        if not isinstance(values, dict):
            return values
        ratios = values.get("snr_db") or (None,)
        if isinstance(ratios, list | tuple) and all(snr is None for snr in ratios):
            return {name: value for name, value in values.items() if name != "noise"}
        return values

    def __str__(self) -> str:
        """The condition in a few words; empty for the usual one, and for that of the environment `wild`."""
        if self == USUAL:  # at once: thousands of records of a list ask
            return ""
        words: list[str] = []
        if (lacking := left_out(self)) is not None:
            return f"without {', '.join(lacking)}" if lacking else ""
        if self.listeners != (0,):
            words.append(
                f"listener{'s' if len(self.listeners) > 1 else ''} {_span(self.listeners)}"
            )
        if self.snr_db != (CLEAN,):
            words.append(f"{_levels(self.snr_db)} {self.noise} noise")
        if self.duration_ms is not None:
            words.append(f"first {self.duration_ms:g} ms")
        if self.directions != "grid":
            words.append({"between": "off the grid", "sphere": "full sphere"}[self.directions])
        if self.colour_db or self.ear_colour_db:
            words.append(f"colours ±{self.colour_db:g} dB, of each ear ±{self.ear_colour_db:g} dB")
        if self.level_db or self.mismatch_db:
            words.append(f"levels ±{self.level_db:g} dB, of each ear ±{self.mismatch_db:g} dB")
        if self.running:
            words.append("running sound" if self.running == 1 else "running and beginning sound")
        if self.snr_span is not None:
            words.append("{:g} to {:g} dB noise".format(*self.snr_span))
        if self.open_air:
            words.append("in the open air")
        if self.sources != (1,):
            several = max(self.sources) > 1
            words.append(f"{_span(self.sources)} source{'s' if several else ''}")
        return ", ".join(words)


WILD = Condition(
    listeners=(0, *FAMILY_FOR_TRAINING, *INDIVIDUALS_FOR_TRAINING),
    colour_db=4.0,
    ear_colour_db=1.0,
    level_db=6.0,
    mismatch_db=0.7,
    running=0.5,
    snr_span=(5.0, 60.0),
    mirrored=True,
)
"""What the environment `wild` is heard under, unless something else is asked for."""

INGREDIENTS: Mapping[str, str] = {
    "rooms": "walls around listener and sources",
    "family": "virtual listeners that are KEMAR stretched along frequency",
    "individuals": "virtual listeners that differ as people do",
    "colours": "of the sources, and of each ear",
    "levels": "of the clips, and of each ear",
    "noise": "white, independent at the ears",
    "running": "clips cut out of running sound",
    "mirrored": "ears exchanged, and left for right",
}
"""What the environment `wild` is made of, each of which a training can do without."""

_WITHOUT: Mapping[str, Mapping[str, Any]] = {
    "rooms": {"open_air": True},
    "family": {"listeners": (0, *INDIVIDUALS_FOR_TRAINING)},
    "individuals": {"listeners": (0, *FAMILY_FOR_TRAINING)},
    "colours": {"colour_db": 0.0, "ear_colour_db": 0.0},
    "levels": {"level_db": 0.0, "mismatch_db": 0.0},
    "noise": {"snr_span": None},
    "running": {"running": 0.0},
    "mirrored": {"mirrored": False},
}


def wild_without(ingredients: Sequence[str]) -> Condition:
    """The condition of `wild` without some of `INGREDIENTS`.

    Raises CombinationError for another name, and where what is left is no condition but the usual one.

    >>> str(wild_without(["noise", "colours"]))
    'without colours, noise'
    """
    changed: dict[str, Any] = {}
    heard = set(WILD.listeners)
    for name in ingredients:
        if name not in INGREDIENTS:
            raise CombinationError(unknown_name("ingredient of wild", name, [*INGREDIENTS]))
        changed |= _WITHOUT[name]
        heard &= set(_WITHOUT[name].get("listeners", heard))
    condition = WILD.model_copy(update=changed | {"listeners": tuple(sorted(heard))})
    if condition == USUAL:
        raise CombinationError(
            "Without all of these, rooms alone are left, which nothing can ask of wild; keep one of "
            f"{', '.join(ingredients)}."
        )
    return condition


def left_out(condition: Condition) -> list[str] | None:
    """The few ingredients that a condition lacks which is else that of `wild`; None for any other."""
    lacking = [name for name in INGREDIENTS if _lacks(condition, name)]
    few = len(lacking) <= len(INGREDIENTS) // 2
    return lacking if few and wild_without(lacking) == condition else None


def _lacks(condition: Condition, ingredient: str) -> bool:
    lacking = _WITHOUT[ingredient]
    if "listeners" in lacking:
        return set(condition.listeners) <= set(lacking["listeners"])
    return all(getattr(condition, name) == value for name, value in lacking.items())


USUAL = Condition()
"""Clean, whole clips on the grid, with the data's own listener."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a track: a column of its table.

    environment: where the test sounds are heard; None for the run's own.
    """

    label: str
    condition: Condition = USUAL
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """A question, what is trained to answer it, and the cases it is tested with.

    conditions, environments: what runs are trained under; no environment: those that are asked for.
    head: the head that models need, where the usual one cannot answer.
    version: raised when the meaning of the track changes; results of two are never ranked together.
    """

    name: str
    question: str
    cases: tuple[Case, ...]
    conditions: tuple[Condition, ...] = (USUAL,)
    environments: tuple[str, ...] = ()
    head: str = "azimuth"
    version: int = 1

    @property
    def renders(self) -> bool:
        """Whether the track needs clips rendered on demand; recorded data can change rooms only."""
        conditions = [*self.conditions, *(case.condition for case in self.cases)]
        return any(condition != USUAL for condition in conditions)


class DataSource(BaseModel):
    """Where clips come from, in words that find them again; the data's digest says what was found.

    layout: `rendered` on demand, a `bast` folder of WAV files, or a `csv` index of spectrograms.
    path: the folder or the CSV file.
    sound_id, azimuth_direction, fit_length: how a BAST folder is read.
    skip_bad: whether rows that cannot be used are left out instead of refused.
    hrtf, hrtf_directions: a SOFA file that takes the place of the default listener, and what is done
        between its directions (and those of `listeners`).
    listeners: several that take its place, each by name or SOFA file; every sound is heard with each.
    test_listeners: those of the test, where they are others. azimuth_direction is theirs all.
    sounds: a folder of recordings that takes the place of the embedded corpus.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    layout: Layout = "rendered"
    path: str | None = None
    sound_id: str | None = None
    azimuth_direction: Literal["clockwise", "counter-clockwise"] | None = None
    fit_length: bool = False
    skip_bad: bool = False
    hrtf: str | None = None
    hrtf_directions: Literal["nearest", "interpolated"] = "nearest"
    sounds: str | None = None
    listeners: tuple[str, ...] = ()
    test_listeners: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _plain(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave out what came later and is not used: older records keep their form."""
        given = handler(self)
        return {
            name: value
            for name, value in given.items()
            if value or name not in ("listeners", "test_listeners")
        }

    @property
    def own_listeners(self) -> tuple[str, ...]:
        """Names and files of the listeners that train; none for the default one."""
        return ((self.hrtf,) if self.hrtf else ()) + self.listeners

    def heard_by(
        self,
        listeners: Sequence[str],
        *,
        azimuths: Literal["clockwise", "counter-clockwise"] | None = None,
        sounds: str | None = None,
    ) -> tuple[DataSource, str]:
        """The same with other listeners, and other sounds, for a test, and words that tell it apart.

        None of either changes nothing, and has no words. Nothing is left of the listeners that trained:
        results of several runs can be ranked together. Raises CombinationError for recordings.
        """
        if (listeners or sounds) and self.layout != "rendered":
            raise CombinationError(
                "Other listeners and sounds are for runs on rendered clips; this one heard recordings."
            )
        changed: dict[str, Any] = {"sounds": sounds} if sounds else {}
        if listeners:
            changed |= {"hrtf": None, "listeners": tuple(listeners), "test_listeners": ()}
            changed |= {"hrtf_directions": "interpolated", "azimuth_direction": azimuths}
        words = f" with {', '.join(listeners)}" if listeners else ""
        words += f" on {sounds}" if sounds else ""
        return self.model_copy(update=changed), words


def _span(numbers: tuple[int, ...]) -> str:
    """`1-8` for a run of numbers, else all of them."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 1 and all(n == first + i for i, n in enumerate(numbers)):
        return f"{first}-{last}"
    return ", ".join(map(str, numbers))


def _levels(snr_db: tuple[float | None, ...]) -> str:
    if snr_db == MIXED_SNR:
        return "mixed"
    return ", ".join("no" if snr is None else f"{snr:g} dB" for snr in snr_db)
