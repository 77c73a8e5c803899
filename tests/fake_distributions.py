"""Fake installed distributions, for tests of plugins: what pip would leave in a site directory."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REGISTER = """
    from bastzoo import Component, hookimpl

    @hookimpl
    def bastzoo_backbones():
        return [{records}]
"""


class Site:
    """A site directory. It is on `sys.path` inside `with site.active():`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def install(
        self,
        name: str,
        files: Mapping[str, str],
        entry_points: Mapping[str, str],
        *,
        version: str = "1.0",
    ) -> None:
        """Write the modules and the dist-info of a distribution, as an installer does."""
        for file, source in files.items():
            path = self.path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
        written = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "entry_points.txt": f"[console_scripts]\nother = other:main\n\n[bastzoo]\n{lines}",
        }
        for file, text in written.items():
            (info / file).write_text(text)
        owned = [*files, *(f"{info.name}/{file}" for file in (*written, "RECORD"))]
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in owned))

    def install_module(self, name: str, source: str, *, version: str = "1.0") -> None:
        """Install a distribution of one module, with one entry point that is named after it."""
        module = name.replace("-", "_")
        self.install(name, {f"{module}.py": source}, {name: module}, version=version)

    def install_backbones(self, name: str, *backbones: str) -> None:
        """Install a well-behaved distribution that registers these backbones."""
        self.install_module(name, backbones_source(*backbones))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Import from this directory, ahead of all others; forget its modules afterwards."""
        before = set(sys.modules)
        sys.path.insert(0, str(self.path))
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(str(self.path))
            for module in set(sys.modules) - before:
                if _lies_in(module, self.path):
                    del sys.modules[module]


def backbones_source(*backbones: str) -> str:
    """A module that registers backbones whose code does not exist: listing them needs none."""
    records = ", ".join(
        f"Component(kind='backbone', name={name!r}, target='nowhere:{name}', summary='{name}')"
        for name in backbones
    )
    return textwrap.dedent(REGISTER).format(records=records)


def _lies_in(module: str, folder: Path) -> bool:
    file = getattr(sys.modules[module], "__file__", None)
    return file is not None and folder.resolve() in Path(file).resolve().parents
