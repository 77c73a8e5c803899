"""`bastzoo doctor` finds what is broken, says so in its last line, and exits with 1."""

from __future__ import annotations

import importlib
import os
import re
import tomllib
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bastzoo.cli.zoo import doctor
from tests.cli.command import ROOT, bastzoo, data
from tests.cli.troubled import BROKEN, install_troubles
from tests.fake_distributions import Site


@pytest.fixture
def found() -> doctor.Diagnosis:
    return doctor.Diagnosis(versions={"torch": "2.8.0+cpu", "torchvision": "0.23.0+cpu"})


def test_a_sound_installation() -> None:
    done = bastzoo("doctor")
    assert done.stdout.splitlines()[-1] == "Nothing is broken."
    assert (done.returncode, done.stderr) == (0, "")
    for heading in ("versions", "devices", "threads", "selective scan", "plugins"):
        assert f"\n{heading}\n" in f"\n{done.stdout}"
    assert re.search(r"^  runs on cpu +\w+", done.stdout, re.MULTILINE)


def test_broken_plugins_and_collisions_among_a_sound_rest(tmp_path: Path) -> None:
    site = Site(tmp_path)
    install_troubles(site)
    done = bastzoo("doctor", "--json", site=site.path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    found = data(done)
    assert not found["ok"]
    assert len(found["problems"]) == len(BROKEN) + 1
    assert all(any(f"'{name}' of" in problem for problem in found["problems"]) for name in BROKEN)
    assert found["cannot_run_here"]["backbone needy"].startswith("needs no_such_module")
    assert {"python", "bastzoo", "torch", "timm", "mamba-ssm"} <= found["versions"].keys()
    assert f"{len(os.sched_getaffinity(0))} cores" in found["devices"]["cpu"]


def test_a_torch_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "raise OSError('libtorch.so: cannot open shared object file')"
    )
    done = bastzoo("doctor", site=tmp_path, fresh=True, BASTZOO_LOAD_PLUGINS="")
    assert done.returncode == 1
    assert "  - torch cannot be imported: libtorch.so: cannot open" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 thing is broken."
    assert done.stderr == ""


def test_a_torchvision_that_does_not_fit_torch(
    found: doctor.Diagnosis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> ModuleType:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(importlib, "import_module", fail)
    doctor._check_torchvision(found)
    (problem,) = found.problems
    assert problem.startswith("torchvision 0.23.0+cpu does not work with torch 2.8.0+cpu: operator")


def test_every_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="NVIDIA H100", total_memory=80 * 2**30, major=9, minor=0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda number: card)
    assert doctor._cuda() == "; ".join(["NVIDIA H100, 80 GiB, compute capability 9.0"] * 2)


def test_a_gpu_that_cannot_be_used_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def complain() -> bool:
        warnings.warn("The NVIDIA driver is too old.", UserWarning, stacklevel=1)
        return False

    monkeypatch.setattr("torch.cuda.is_available", complain)
    monkeypatch.setattr("torch.version.cuda", "13.0")
    assert doctor._cuda() == ("none: The NVIDIA driver is too old (torch is built for CUDA 13.0)")
    monkeypatch.setattr("torch.version.cuda", None)
    assert doctor._cuda() == "none: this torch is built without CUDA"


def test_a_scan_that_cannot_run(found: doctor.Diagnosis, monkeypatch: pytest.MonkeyPatch) -> None:
    found.devices["cuda"] = "none"
    monkeypatch.setenv("BASTZOO_SCAN", "warp")
    doctor._look_at_scan(found)
    (problem,) = found.problems
    assert problem.startswith(
        "The selective scan cannot run: BASTZOO_SCAN=warp is no implementation"
    )


@pytest.mark.parametrize(
    ("build", "count"), [("0.23.0+cpu", 0), ("0.23.0+cu128", 1), ("0.23.0", 0)]
)
def test_builds_for_different_devices(
    found: doctor.Diagnosis, monkeypatch: pytest.MonkeyPatch, build: str, count: int
) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda name: ModuleType(name))
    found.versions["torchvision"] = build
    doctor._check_torchvision(found)
    assert len(found.problems) == count


def test_the_doctor_looks_at_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!~; \[]", line)[0] for line in project["dependencies"]]
    assert sorted(doctor.REQUIRED) == sorted(names)


def test_a_dependency_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REQUIRED", ("no-such-distribution",))
    monkeypatch.setattr(doctor, "OPTIONAL", ("no-such-option",))
    found = doctor.Diagnosis()
    doctor._look_at_versions(found)
    assert found.versions["no-such-option"] == "not installed (optional)"
    assert found.problems == [
        "no-such-distribution is not installed: pip install no-such-distribution."
    ]
