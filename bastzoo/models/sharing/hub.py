"""Models on a hub that speaks Hugging Face's interface: fetched by name and revision, and published.

`HF_ENDPOINT` names another hub, `HF_HOME` where fetched files are kept, `HF_TOKEN` who one is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bastzoo.errors import DataError, SetupError, tellable
from bastzoo.models.sharing.package import CARD_FILE, MODEL_FILE, read_model_record
from bastzoo.registry import Registry

PREFIX = "hf:"

_REFERENCE = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def pull(reference: str) -> Path:
    """Fetch `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION` (a branch, a tag or a commit); return its folder.

    What was fetched before is not fetched again; all files are of one commit. Whoever loads the folder
    checks the weights against the SHA-256 in its `model.json`. Raises DataError for a name that is none and
    for a repository without a model, SetupError when the hub cannot be reached.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise DataError(
            f"{reference!r} names no model on a hub; write hf:OWNER/NAME or hf:OWNER/NAME@REVISION."
        )
    repository, revision = match[1], match[2]
    from huggingface_hub import hf_hub_download

    with _in_sentences(repository, revision):
        path = Path(hf_hub_download(repository, MODEL_FILE, revision=revision, **_settings()))
        # The snapshot's folder is named after the commit: the other files come from the same.
        commit = path.parent.name
        weights = read_model_record(path).weights
        names = [CARD_FILE] if weights is None else [weights.file, CARD_FILE]
        for name in names:
            hf_hub_download(repository, name, revision=commit, **_settings())
    return path.parent


def push(folder: Path, repository: str, *, registry: Registry, private: bool = False) -> str:
    """Publish the folder of a package as `OWNER/NAME`; return what `pull` takes, with the commit.

    Only the three files of a package are sent, after the package was loaded here. Raises the errors of
    `read_package`, and SetupError when the hub cannot be reached or does not allow it.
    """
    from huggingface_hub import HfApi

    from bastzoo.models.sharing.package import read_package

    _, record = read_package(folder, registry)
    assert record.weights is not None
    files = [MODEL_FILE, record.weights.file, CARD_FILE]
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise DataError(f"{repository!r} names no repository; write OWNER/NAME.")
    with _in_sentences(repository, None):
        api = HfApi(endpoint=_settings()["endpoint"], token=_settings()["token"])
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=files,
            commit_message=f"{record.name}, by bastzoo",
        )
    return f"{PREFIX}{repository}@{done.oid}"


def _settings() -> dict[str, Any]:
    """What the environment says now: the client reads it once, when it is imported."""
    home = os.environ.get("HF_HOME")
    cache = os.environ.get("HF_HUB_CACHE") or (Path(home) / "hub" if home else None)
    named = {name: os.environ.get(f"HF_{name.upper()}") or None for name in ("endpoint", "token")}
    return {**named, "cache_dir": cache}


@contextmanager
def _in_sentences(repository: str, revision: str | None) -> Iterator[None]:
    """Turn what goes wrong on the way into sentences."""
    from huggingface_hub import errors

    at = f" at {revision!r}" if revision else ""
    try:
        yield
    except errors.RevisionNotFoundError as error:
        raise DataError(
            f"The hub's repository {repository!r} has no revision {revision!r}."
        ) from error
    except errors.EntryNotFoundError as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise SetupError(
                f"The hub cannot be reached, and {repository!r}{at} was not fetched before; try again, or "
                "set HF_ENDPOINT."
            ) from error
        raise DataError(
            f"The hub's repository {repository!r}{at} holds no model of bastzoo ({MODEL_FILE} or its "
            "weights are missing)."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"The hub has no repository {repository!r} that you may see; look at its name, or log in "
            "(HF_TOKEN)."
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        told = tellable(
            str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        )
        raise SetupError(f"The hub refuses {repository!r}{at}: {told}") from error
    except errors.LocalTokenNotFoundError as error:
        raise SetupError("Publishing takes a token of the hub: set HF_TOKEN.") from error
    except (
        Exception
    ) as error:  # those of the client's own HTTP library are of no class that is always there
        if not isinstance(error, OSError) and not type(error).__module__.startswith("httpx"):
            raise
        raise SetupError(f"The hub cannot be reached for {repository!r}: {error}.") from error
