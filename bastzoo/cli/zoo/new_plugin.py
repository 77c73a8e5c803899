"""`bastzoo new-plugin`: a package with one component that works, to be changed into one's own."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path
from string import Template

import click

from bastzoo.cli.options import target_option
from bastzoo.errors import ComponentError, SetupError
from bastzoo.hookspecs import KIND_OF_HOOK
from bastzoo.plugins import plugin_host
from bastzoo.registry import KINDS
from bastzoo.testing import SUITES

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_.][A-Za-z0-9]+)*")

_BENCH = {
    "backbone": "--backbone {} --integ SUB --loss MIX --sharing SP",
    "integration": "--backbone vanilla --integ {} --loss MIX --sharing SP",
    "loss": "--backbone vanilla --integ SUB --loss {} --sharing SP",
    "head": "--backbone vanilla --integ SUB --loss MIX --sharing SP --head {}",
    "frontend": "--backbone vanilla --integ SUB --loss MIX --sharing SP --frontend {}",
    "environment": "--backbone vanilla --integ SUB --loss MIX --sharing SP --env {}",
    "baseline": "--backbone vanilla --integ SUB --loss MIX --sharing SP",
    "executor": "--backbone vanilla --integ SUB --loss MIX --sharing SP --executor {}",
    "dataset": "--backbone vanilla --integ SUB --loss MIX --sharing SP --listener {}",
    "metric": "--backbone vanilla --integ SUB --loss MIX --sharing SP",
    "track": "--backbone vanilla --integ SUB --loss MIX --sharing SP --track {}",
    "model": "",
}
"""A row of a leaderboard with the new component in it."""


@click.command("new-plugin")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(KINDS), help="What it registers.")
@target_option(
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Folder to make the package's folder in.",
)
def new_plugin(name: str, kind: str, target: Path) -> None:
    """Write an installable package with one component that passes `bastzoo check` as it is.

    NAME is the name of the distribution, of its folder and of the component.

    Example: bastzoo new-plugin my-ears --kind backbone
    """
    package = re.sub(r"[-.]", "_", name).lower()
    _check_name(name, kind, package)
    folder = target / name
    if folder.exists():
        raise SetupError(f"{str(folder)!r} exists already; remove it, or choose another name.")
    if not target.is_dir():
        raise SetupError(f"There is no folder {str(target)!r}; make it, or name another with --to.")
    values = _values(name, kind, package)
    # Aside first: what is interrupted leaves no half package.
    with tempfile.TemporaryDirectory(dir=target, prefix=f".{name}-") as aside:
        whole = Path(aside) / name
        for path, template in _files(kind, package).items():
            text = (resources.files("bastzoo") / "assets" / "plugin" / template).read_text("utf-8")
            (whole / path).parent.mkdir(parents=True, exist_ok=True)
            (whole / path).write_text(Template(text).substitute(values), encoding="utf-8")
        if kind == "model":
            shipped = resources.files("bastzoo") / "assets" / "models" / "default"
            with resources.as_file(shipped) as model:
                shutil.copytree(model, whole / package / "weights")
        shutil.move(whole, folder)
    click.echo(f"Wrote {folder}/ with the {kind} {name!r}. Now:\n")
    for line in (
        f"pip install -e {shlex.quote(str(folder))}",
        f"bastzoo check {name}",
        values["bench"],
    ):
        click.echo(f"    {line}")
    click.echo(
        f"\n{folder / package / kind}.py is what to change; its tests: pytest {shlex.quote(str(folder))}"
    )


def _check_name(name: str, kind: str, package: str) -> None:
    """Raise SetupError or ComponentError for a name that no package or component can have."""
    if not _NAME.fullmatch(name):
        raise SetupError(
            f"{name!r} cannot name a package; begin with a letter, and use letters, digits and single "
            "hyphens, dots or underscores between them."
        )
    if keyword.iskeyword(package) or package in sys.stdlib_module_names:
        raise SetupError(
            f"The module would be called {package!r}, a word of Python; choose another."
        )
    if importlib.util.find_spec(package) is not None:
        raise SetupError(
            f"A module {package!r} is installed here already, and would hide the new one; choose "
            "another name."
        )
    taken = [c for c in plugin_host().registry.match(kind, name) if not c.members]
    if taken:
        raise ComponentError(
            f"{taken[0].distribution} registers the {kind} {taken[0].name!r} already; choose another "
            "name."
        )


def _values(name: str, kind: str, package: str) -> dict[str, str]:
    """What the templates name."""
    words = [word for word in re.split(r"[-_.]", name) if word]
    camel = "".join(word[:1].upper() + word[1:] for word in words)
    article = "an" if kind[0] in "aeiou" else "a"
    hook = next(hook for hook, of_kind in KIND_OF_HOOK.items() if of_kind == kind)
    return {
        "distribution": name,
        "name": name,
        "package": package,
        "kind": kind,
        "hook": hook,
        "suite": SUITES[kind],
        "Article": article.capitalize(),
        "Class": camel,
        "function": package,
        "Target": package
        if kind in ("environment", "dataset", "metric", "track", "model")
        else camel,
        "bench": f"bastzoo predict {name} recording.wav"
        if kind == "model"
        else f"bastzoo bench {_BENCH[kind].format(name)}",
    }


def _files(kind: str, package: str) -> dict[str, str]:
    """Path in the package's folder -> template."""
    return {
        "pyproject.toml": "pyproject.toml.txt",
        "README.md": "README.md.txt",
        ".gitignore": "gitignore.txt",
        f"{package}/__init__.py": f"{kind}.record.txt",
        f"{package}/{kind}.py": f"{kind}.txt",
        f"tests/test_{package}.py": "test.py.txt",
    }
