"""The models that come with bastzoo."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from bastzoo.errors import SetupError


def folder(*, package: str) -> Path:
    """The folder of a model that ships, by its name. Raises SetupError when it is not there."""
    found = Path(str(resources.files("bastzoo") / "assets" / "models" / package))
    if not found.is_dir():
        raise SetupError(f"The model {package!r} is not among bastzoo's files; install it again.")
    return found
