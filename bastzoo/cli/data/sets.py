"""`bastzoo data list` and `fetch`: data sets by name, and what of them is there."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.options import as_json

if TYPE_CHECKING:
    from bastzoo.data.sets.fetch import Fetched
    from bastzoo.data.sets.index import DataIndex

_ACCEPTED = "licence-accepted.txt"
_TOLD = 5


@click.command("list")
@as_json
def list_sets(json_: bool) -> None:
    """List the data sets that plugins register, and how much of each is there.

    Example: bastzoo data list
    """
    from bastzoo.cli.terminal.output import echo_json, table
    from bastzoo.errors import ComponentError
    from bastzoo.plugins import default_registry

    registry = default_registry()
    rows, told = [], []
    for name in registry.names("dataset"):
        try:
            about = describe_set(name, registry)
        except ComponentError as error:  # one plugin's defect must not hide the others
            rows.append((name, str(error)))
            told.append({"name": name, "error": str(error)})
            continue
        told.append(about)
        there = f"{about['present']} of {len(about['members'])} {about['holds']} there"
        rows.append((name, f"{there}; {about['summary']}; {about['licence']}"))
    if json_:
        echo_json(told)
        return
    for line in table(rows):
        click.echo(line)


@click.command("fetch")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take the files out of a folder that has them; nothing is downloaded.",
)
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
def fetch_set(name: str, source: Path | None, yes: bool) -> None:
    """Bring the data set NAME into BASTZOO_DATA, or the platform's folder for data, and check every file.

    What is there and right stays; a download that broke off goes on where it stopped.

    Examples: bastzoo data fetch surrey; bastzoo data fetch cipic --from downloads/cipic
    """
    from bastzoo.cli.terminal.progress import say
    from bastzoo.data.sets.folder import data_home, find_index, remember_place
    from bastzoo.errors import DataError
    from bastzoo.plugins import default_registry

    index = find_index(name, default_registry())
    say(f"{index.name}: {index.holds}, from {index.source}.")
    say(f"Licence: {index.licence}. {index.terms}".rstrip())
    say(f"To be cited: {index.citation}.")
    if not index.files:
        if source is None:
            raise DataError(
                f"{index.name} has nothing to be fetched: {index.source}; or name its folder with --from."
            )
        if not source.is_dir():
            raise DataError(f"{str(source)!r} is not a folder: give the one that holds the data.")
        remember_place(index, source)
        say(f"{index.name} is read from {source.resolve()} from now on; nothing was copied.")
        return
    folder = data_home() / index.name
    if source is None:
        _accept(index, folder, yes)

    from bastzoo.cli.terminal.progress import FetchProgress
    from bastzoo.data.sets.fetch import fetch

    with FetchProgress(len(index.files)) as progress:
        found = fetch(index, folder, source=source, progress=progress)
    _say_fetched(index, found, folder, source)


def _accept(index: DataIndex, folder: Path, yes: bool) -> None:
    """Ask for the licence once; what was accepted is remembered with the data."""
    from bastzoo.errors import SetupError

    terms = hashlib.sha256(f"{index.licence}\n{index.terms}".encode()).hexdigest()
    marker = folder / _ACCEPTED
    try:
        if marker.is_file() and marker.read_text(encoding="utf-8").split()[:1] == [terms]:
            return
    except (OSError, ValueError):
        pass
    if not yes:
        if not sys.stdin.isatty():
            raise SetupError(
                f"The licence of {index.name} was not accepted: read it above, and add --yes."
            )
        if not click.confirm("Do you accept the licence?", err=True):
            raise SetupError(f"The licence of {index.name} was not accepted; nothing was fetched.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(f"{terms} {index.licence}\n", encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"{str(folder)!r} cannot be written: {error.strerror or error}; name another folder with "
            "BASTZOO_DATA."
        ) from error


def _say_fetched(index: DataIndex, found: Fetched, folder: Path, source: Path | None) -> None:
    from bastzoo.cli.terminal.progress import say
    from bastzoo.data.sets.folder import present_members
    from bastzoo.errors import DataError, tellable

    for sentence in found.refused[:_TOLD]:
        say(f"Refused: {sentence}")
    if len(found.refused) > _TOLD:
        say(f"Refused: {len(found.refused) - _TOLD:,} more.")
    if found.unchecked:
        say(
            f"Not checked, since no checksum is known: {_some(found.unchecked)}. What they hold is as it "
            "was given."
        )
    if found.missing:
        where = f"not in {tellable(str(source))}" if source else "to be had with --from DIR only"
        say(
            f"{len(found.missing):,} of {len(index.files):,} files are {where}: {_some(found.missing)}."
        )
    members = present_members(index, folder)
    say(
        f"{found.present:,} of {len(index.files):,} files are in {folder} ({found.new:,} new): "
        f"{len(members)} of {len(index.members)} {index.holds}."
    )
    if found.refused or not members:
        raise DataError(
            f"The data set {index.name} is not complete; what was refused is told above."
        )


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _TOLD:,} more" if len(paths) > _TOLD else ""
    return ", ".join(paths[:_TOLD]) + more


def describe_set(name: str, registry: Any) -> dict[str, Any]:
    """What a data set is, where it lies, and which of its members are there."""
    from bastzoo.data.sets.folder import find_index, folder_of, present_members

    index = find_index(name, registry)
    folder = folder_of(index)
    present = present_members(index, folder)
    return {
        "name": index.name,
        "summary": registry.get("dataset", name).summary,
        "holds": index.holds,
        "licence": index.licence,
        "terms": index.terms,
        "citation": index.citation,
        "source": index.source,
        "folder": str(folder),
        "files": len(index.files),
        "with_checksum": sum(bool(file.sha256) for file in index.files),
        "bytes_known": index.size,
        "present": len(present),
        "members": {member: member in present for member in index.members},
    }
