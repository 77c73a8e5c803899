"""The faults of a data set: collected while it is read, and told together instead of one a run."""

from __future__ import annotations

from collections.abc import Iterator

from bastzoo.errors import DataError, tellable

LISTED = 20
"""How many faults are told; of the others only the number is kept, however many they are."""


class Faults:
    """What is wrong with a data set, where, and what to do: one fault for each row left out.

    `len` counts all faults; iterating gives the sentences of the first 20.
    """

    def __init__(self) -> None:
        self._count = 0
        self._told: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note one fault.

        where: a file, or `index.csv, row 7` (as a spreadsheet counts, the header being row 1).
        what: a phrase with what is wrong and what to do.
        """
        self._count += 1
        if len(self._told) < LISTED:
            self._told.append(f"{tellable(where)}: {tellable(what)}")

    def extend(self, other: Faults) -> None:
        """Add all faults of another part of the data set behind one's own."""
        self._count += len(other)
        self._told.extend(list(other)[: LISTED - len(self._told)])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def raise_for(self, title: str, *, skippable: bool = True) -> None:
        """Raise DataError that lists the faults under a title; do nothing when there are none.

        skippable: whether the data can be used without the rows at fault, so that `--skip-bad` helps.
        """
        if not self._count:
            return
        lines = [tellable(title), *(f"  - {sentence}" for sentence in self._told)]
        if self._count > len(self._told):
            lines.append(f"  - and {self._count - len(self._told):,} more")
        total = "1 fault" if self._count == 1 else f"{self._count:,} faults"
        hint = "; --skip-bad goes on without them." if skippable else "."
        raise DataError("\n".join([*lines, f"{total} in all{hint}"]))
