"""`import bastzoo` is nearly free, and its public names are all there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bastzoo


def test_importing_bastzoo_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import bastzoo; "
        "new = set(sys.modules) - before; "
        "print({m for m in new if m.partition('.')[0] not in sys.stdlib_module_names})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'bastzoo'}\n"


@pytest.mark.parametrize("name", bastzoo.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(bastzoo, name) is not None
    assert name in dir(bastzoo)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'backbones'"):
        _ = bastzoo.backbones
