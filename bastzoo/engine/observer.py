"""What the engine reports while it works; the command line draws it, a library user may ignore it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Observer(Protocol):
    """Called by training; every method may be called from the main process only."""

    def training_started(self, steps: int) -> None:
        """Training of at most `steps` steps begins."""

    def step(self, step: int, loss: float) -> None:
        """A step is done; `loss` is that of its batch."""

    def validated(self, step: int, ad: float, best: bool) -> None:
        """The validation split was localized with a mean angular distance of `ad` degrees."""

    def training_ended(self, reason: str) -> None:
        """Training is over: all steps are done, or it stopped early."""


class Silent:
    """An observer that says nothing."""

    def training_started(self, steps: int) -> None:
        """Say nothing."""

    def step(self, step: int, loss: float) -> None:
        """Say nothing."""

    def validated(self, step: int, ad: float, best: bool) -> None:
        """Say nothing."""

    def training_ended(self, reason: str) -> None:
        """Say nothing."""
