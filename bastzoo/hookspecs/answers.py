"""What answers without being trained first: models with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.hookspecs.marks import hookspec

if TYPE_CHECKING:
    from bastzoo.registry import Component


@hookspec
def bastzoo_models() -> list[Component]:  # type: ignore[empty-body]
    """Models with weights, which `bastzoo predict NAME FILE` and `bastzoo.load(NAME)` find by name.

    The target returns the path of a folder that `bastzoo package RUN FOLDER` wrote: weights, `model.json`
    and a card. It is called with the record's `parameters` only, and imports no torch. Make sure that the
    folder is part of the package that is installed.

    ```python
    # hall_ears/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_models():
        return [
            Component(
                kind="model",
                name="hall",
                target="hall_ears.weights:folder",
                summary="trained in our concert hall",
                citation="none",
                licence="MIT",
            )
        ]
    ```

    ```python
    # hall_ears/weights.py
    from pathlib import Path


    def folder():
        return Path(__file__).parent / "hall"  # written by: bastzoo package RUN hall_ears/hall
    ```
    """
