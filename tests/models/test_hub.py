"""Models are published to a hub and fetched from it: against a server that speaks the hub's interface."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import bastzoo as bz
from bastzoo.models.sharing.hub import push
from bastzoo.models.sharing.package import write_package
from tests.cli.command import bastzoo
from tests.models.made import made


class Hub(BaseHTTPRequestHandler):
    """Repositories in memory: commits with their files. Sends what the public hub sends."""

    commits: dict[str, dict[str, bytes]]
    branches: dict[str, str]
    log: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.log.append(f"{self.command} {self.path}")
        owner, name, kind, revision, *rest = [*self.path.strip("/").split("/"), "", "", "", ""]
        file = "/".join(part for part in rest if part)
        repository = f"{owner}/{name}"
        if kind != "resolve" or repository not in self.branches:
            return self._fail(404, "RepoNotFound")
        commit = self.branches[repository] if revision == "main" else revision
        if commit not in self.commits:
            return self._fail(404, "RevisionNotFound")
        data = self.commits[commit].get(file)
        if data is None:
            return self._fail(404, "EntryNotFound", commit=commit)
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)
        return None

    def do_POST(self) -> None:
        self.log.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        here = f"http://{self.headers['Host']}"
        if self.headers.get("Authorization") != "Bearer hf_secret":
            return self._fail(401, "")
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            repository = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.branches.setdefault(repository, "")
            return self._answer({"url": f"{here}/{repository}", "name": repository})
        if self.path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            return self._answer({"files": modes})
        if "/commit/" in self.path:
            repository = "/".join(self.path.split("/")[3:5])
            lines = [json.loads(line) for line in body.splitlines()]
            files = {
                line["value"]["path"]: base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] == "file"
            }
            oid = hashlib.sha1(body).hexdigest()
            self.commits[oid] = files
            self.branches[repository] = oid
            return self._answer(
                {
                    "success": True,
                    "commitOid": oid,
                    "commitUrl": f"{here}/{repository}/commit/{oid}",
                }
            )
        return self._fail(404, "")

    def _answer(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, status: int, code: str, *, commit: str = "") -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Hub]]]:
    """A hub, and the settings of someone who may publish there."""
    handler = type("OneHub", (Hub,), {"commits": {}, "branches": {}, "log": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        "ENDPOINT": endpoint,
        "HOME": tmp_path / "hf",
        "TOKEN": "hf_secret",
    }.items():
        monkeypatch.setenv(f"HF_{name}", str(value))
    yield endpoint, handler
    server.shutdown()
    server.server_close()


def test_a_model_is_published_and_loaded_elsewhere(
    hub: tuple[str, type[Hub]], tmp_path: Path
) -> None:
    _, server = hub
    localizer = made()
    folder = tmp_path / "ears"
    write_package(folder, localizer.model, localizer.record)
    (folder / "secret.txt").write_text("not part of a package")
    registry = bz.default_registry()
    reference = push(folder, "me/ears", registry=registry)
    (commit,) = server.commits
    assert reference == f"hf:me/ears@{commit}"
    assert sorted(server.commits[commit]) == ["README.md", "model.json", "model.safetensors"]
    sound = np.random.default_rng(0).normal(size=(2, 8_000)) * 0.1
    expected = localizer(sound)
    for name in ("hf:me/ears", reference):
        found = bz.load(name)(sound)
        assert isinstance(found, bz.Prediction)
        assert isinstance(expected, bz.Prediction)
        np.testing.assert_array_equal(found.direction, expected.direction)
    fetched = [line for line in server.log if line.startswith("GET") and "safetensors" in line]
    assert len(fetched) == 1  # the second time nothing is fetched again


def test_what_the_hub_has_not_or_forbids_is_a_sentence(
    hub: tuple[str, type[Hub]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, server = hub
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    server.branches["me/empty"] = "0" * 40
    server.commits["0" * 40] = {"README.md": b"nothing"}
    for name, sentence in [
        ("hf:me/none", "has no repository 'me/none'"),
        ("hf:me/empty", "holds no model of bastzoo"),
        ("hf:me/empty@v9", "has no revision 'v9'"),
        ("hf:oops", "write hf:OWNER/NAME"),
    ]:
        with pytest.raises(bz.BastzooError, match=sentence):
            bz.load(name)
    import huggingface_hub

    def unreachable(*args: object, **more: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "hf_hub_download", unreachable)
        with pytest.raises(bz.SetupError, match="cannot be reached"):
            bz.load("hf:me/empty")
    localizer = made()
    write_package(tmp_path / "ears", localizer.model, localizer.record)
    with pytest.raises(bz.SetupError, match="refuses 'me/ears'"):
        push(tmp_path / "ears", "me/ears", registry=bz.default_registry())
    with pytest.raises(bz.BastzooError, match="write OWNER/NAME"):
        push(tmp_path / "ears", "ears", registry=bz.default_registry())


def test_the_command_says_what_it_published(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    localizer = made()
    write_package(tmp_path / "ears", localizer.model, localizer.record)
    done = bastzoo("push", str(tmp_path / "ears"), "me/ears")
    assert done.returncode == 0, done.stderr
    assert "as hf:me/ears@" in done.stdout
