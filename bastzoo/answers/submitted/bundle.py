"""Submissions: a record, what was answered and where it was made, in one file; and whether it follows.

A bundle is a zip of a few files with fixed names, and is read in memory: nothing in it is executed, and no
path in it is ever used. What a check can say is that every figure follows from the answers, and the answers
belong to the clips. Whether a model gave them, only training it again can say (`bastzoo reproduce`).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from bastzoo.answers.scoring import ANSWERS_FILE
from bastzoo.errors import RecordError
from bastzoo.limits.reading import ZIP_FAULTS, parsed_json
from bastzoo.limits.reading import opened as regular_file
from bastzoo.records.record import RunRecord, TrackRecord
from bastzoo.records.store import (
    HISTORY_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    read_any_record,
    read_record,
    track_files,
)

MANIFEST_FILE = "manifest.json"
SMALL_FILE = "small.npz"
TRACK_FILE = "track.json"
FORMAT = 1
_MEMBERS = (
    *(MANIFEST_FILE, RECORD_FILE, TRACK_FILE),
    *(PREDICTIONS_FILE, SMALL_FILE, ANSWERS_FILE, HISTORY_FILE),
)
_LARGEST = 64_000_000


def bundle_of(path: Path) -> tuple[str, bytes]:
    """The bundle of a run's folder, or of a record file with its predictions beside it; and its file's name.

    Raises RecordError for a run that has failed, and where there is nothing that its figures follow from.
    """
    members: dict[str, bytes] = {}
    if path.is_dir():
        record: RunRecord | TrackRecord = read_record(path / RECORD_FILE)
        members[RECORD_FILE] = (path / RECORD_FILE).read_bytes()
        for name in (PREDICTIONS_FILE, ANSWERS_FILE, HISTORY_FILE):
            if (path / name).is_file():
                members[name] = (path / name).read_bytes()
        on_tracks = track_files(path) if record.kind == "answers" else []
        if on_tracks:
            members[TRACK_FILE] = on_tracks[0].read_bytes()
    else:
        record = read_any_record(path)
        member = TRACK_FILE if isinstance(record, TrackRecord) else RECORD_FILE
        members[member] = path.read_bytes()
        if (small := path.with_suffix(".npz")).is_file():
            members[SMALL_FILE] = small.read_bytes()
    if isinstance(record, RunRecord) and record.status != "finished":
        raise RecordError(f"The run {record.name!r} has failed; there is nothing to propose.")
    if not {PREDICTIONS_FILE, SMALL_FILE, ANSWERS_FILE} & members.keys():
        raise RecordError(
            f"{str(path)!r} has no predictions, so nobody could check its figures; propose the run's folder."
        )
    return f"{record.name}.bastzoo.zip", sealed(record.name, members)


def sealed(name: str, members: Mapping[str, bytes]) -> bytes:
    """A bundle of these files: the same bytes for the same files."""
    manifest = {
        "format": FORMAT,
        "name": name,
        "files": {member: sha256(data).hexdigest() for member, data in sorted(members.items())},
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        sealing = (MANIFEST_FILE, json.dumps(manifest, indent=1).encode())
        for member, data in [sealing, *sorted(members.items())]:
            bundle.writestr(zipfile.ZipInfo(member), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def opened(path: Path) -> tuple[str, dict[str, bytes]]:
    """The name in a bundle's manifest, and its files.

    Raises RecordError for what is no bundle, for names that no bundle has (paths that lead elsewhere among
    them), for too much data, and for files that are not those that were sealed.
    """
    what = f"The submission {str(path)!r}"
    try:
        with regular_file(path, _LARGEST) as file, zipfile.ZipFile(file) as bundle:
            listed = bundle.infolist()
            for member in listed:
                if member.filename not in _MEMBERS:
                    raise RecordError(
                        f"{what} holds {member.filename[:80]!r}, which no submission has; make it with "
                        "`bastzoo submit`."
                    )
            names = [member.filename for member in listed]
            if len(set(names)) < len(names):
                raise RecordError(f"{what} holds a file twice; make it with `bastzoo submit`.")
            if sum(member.file_size for member in listed) > _LARGEST:
                raise RecordError(f"{what} holds more than {_LARGEST // 1_000_000} MB.")
            members = {name: bundle.read(name) for name in names}
    except ZIP_FAULTS as error:
        raise RecordError(f"{what} cannot be read: {error}.") from error
    try:
        manifest = parsed_json(members.pop(MANIFEST_FILE))
        form, name, files = manifest["format"], str(manifest["name"]), dict(manifest["files"])
    except (KeyError, ValueError, TypeError) as error:
        raise RecordError(f"{what} has no manifest, or a damaged one.") from error
    if form != FORMAT:
        raise RecordError(f"{what} is of format {form!r}; this bastzoo reads {FORMAT}.")
    if files != {member: sha256(data).hexdigest() for member, data in members.items()}:
        raise RecordError(f"{what} does not hold the files that were sealed in it.")
    return name, members
