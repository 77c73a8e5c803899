"""Damages a record in every place: what a fault of a disk, an editor's hand or a stranger can do to it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, -1, 1e308, float("nan"), float("inf"), 10**30, 10**400, -0.5, 1e15),
    *("", "../../precious", "\x1b[2J\u202e|<script>\n", "x" * 5_000, "nan"),
    *([], {}, [[[]]], ["a", None, 1], {"a": {"b": []}}),
)
GONE = object()


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a record; of long lists the first only."""
    if at:
        yield at
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*at, name))
    elif isinstance(value, list):
        for index in range(min(1, len(value))):
            yield from places(value[index], (*at, index))


def damaged(record: dict[str, Any], at: tuple[Any, ...], odd: Any) -> str:
    """The record as JSON with something else in one place, or nothing."""
    found = copy.deepcopy(record)
    owner = found
    for name in at[:-1]:
        owner = owner[name]
    if odd is GONE:
        del owner[at[-1]]
    else:
        owner[at[-1]] = odd
    return json.dumps(found)


def damages(record: dict[str, Any], count: int | None, seed: int = 0) -> Iterator[tuple[str, str]]:
    """What was done, and the record after it; `count` of all cases, drawn by the seed, or all."""
    cases = [(at, odd) for at in places(record) for odd in (*ODD, GONE)]
    if count is not None:
        cases = random.Random(seed).sample(cases, min(count, len(cases)))
    for at, odd in cases:
        told = "gone" if odd is GONE else repr(odd)[:30]
        yield f"{'.'.join(map(str, at))} = {told}", damaged(record, at, odd)
