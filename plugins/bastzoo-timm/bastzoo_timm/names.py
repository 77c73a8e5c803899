"""Names of all models of the installed timm, found without importing it, since timm imports torch."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

# timm marks the function that builds a model, and is named like it, with this decorator.
_REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)


@functools.cache
def model_names() -> tuple[str, ...]:
    """Return the names, in alphabetical order; none where timm is not installed."""
    spec = importlib.util.find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    found: set[str] = set()
    for file in folder.glob("*.py"):
        found.update(_REGISTERED.findall(file.read_text(encoding="utf-8")))
    return tuple(sorted(found))
