"""Which implementation runs is said with reasons, and can be forced."""

import subprocess
import sys

import pytest
import torch

from bastzoo.errors import SetupError
from bastzoo.ops.selective_scan import (
    availability,
    diagnosis,
    implementation_for,
    library,
    selective_scan,
)
from bastzoo.ops.selective_scan import choice as module
from bastzoo.ops.selective_scan.availability import NAMES, VARIABLE, ScanStatus


def test_listing_imports_neither_torch_nor_numba():
    code = (
        "import sys; from bastzoo.ops.selective_scan import availability; availability();"
        "assert not {'torch', 'numba', 'triton'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_run_that_never_scanned_tries_nothing_to_say_what_would_have(monkeypatch):
    monkeypatch.setattr(module, "_found", {})
    monkeypatch.setattr(module, "_tried", None)
    assert [module.expected_for(device) for device in ("cpu", "mps")] == ["cpu", "reference"]
    module._found["cpu"] = "reference"
    assert module.expected_for("cpu") == "reference"
    monkeypatch.setenv(VARIABLE, "cpu")
    assert module.expected_for("cpu") == "cpu"


def test_every_implementation_is_listed_with_a_reason():
    for listing in (availability(), diagnosis()):
        assert [found.name for found in listing] == list(NAMES)
        assert all(found.reason for found in listing)


def test_the_cpu_kernel_scans_cpu_tensors_and_the_reference_unknown_devices():
    assert implementation_for("cpu") == "cpu"
    assert implementation_for("some_new_device") == "reference"


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a CUDA device")
def test_a_kernel_that_cannot_work_says_why():
    reasons = {found.name: found for found in diagnosis()}
    assert not reasons["triton"].ok
    assert "triton" in reasons["triton"].reason or "CUDA" in reasons["triton"].reason


def test_forcing_an_implementation(monkeypatch, problem, check):
    for name in ("reference", "cpu"):
        monkeypatch.setenv(VARIABLE, name)
        assert implementation_for("cpu") == name
        check(problem(2, 3, 5, 2), selective_scan, 2e-5)


def test_forcing_a_name_that_does_not_exist(monkeypatch, problem):
    monkeypatch.setenv(VARIABLE, "warp")
    for call in (
        lambda: implementation_for("cpu"),
        lambda: selective_scan(*problem(1, 2, 3, 2).tensors),
    ):
        with pytest.raises(SetupError, match="BASTZOO_SCAN=warp is no implementation"):
            call()


def test_forcing_an_implementation_for_another_device(monkeypatch, problem):
    monkeypatch.setenv(VARIABLE, "triton")
    with pytest.raises(SetupError, match="scans tensors on cuda, and these are on cpu"):
        selective_scan(*problem(1, 2, 3, 2).tensors)


def test_forcing_an_implementation_that_cannot_run(monkeypatch):
    broken = ScanStatus("cuda", False, "mamba-ssm is not installed")
    monkeypatch.setattr(module, "_tried", lambda name: broken)
    monkeypatch.setenv(VARIABLE, "cuda")
    with pytest.raises(SetupError, match="cannot be used here: mamba-ssm is not installed"):
        implementation_for("cuda")


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(
        sys.modules["bastzoo.ops.selective_scan.availability"],
        "find_spec",
        lambda name: None if name != "mamba_ssm" else name,
    )
    reasons = {found.name: found.reason for found in availability()}
    assert reasons["cpu"] == "numba is not installed (pip install numba)"
    assert reasons["cuda"] == "mamba-ssm is installed without its compiled kernel"


def test_the_next_best_runs_where_the_best_does_not_work(monkeypatch, caplog):
    works = {"reference": True}
    monkeypatch.setattr(
        module, "_tried", lambda name: ScanStatus(name, works.get(name, False), "a reason")
    )
    module._found.clear()
    assert implementation_for("cuda") == "reference"
    assert "slow loop" in caplog.text
    module._found.clear()


@pytest.fixture
def only_the_reference(monkeypatch):
    """What a machine has where nothing can be compiled."""
    monkeypatch.setattr(module, "_tried", lambda name: ScanStatus(name, name == "reference", ""))
    module._found.clear()
    module._for_device.cache_clear()
    yield
    module._found.clear()
    module._for_device.cache_clear()


def test_the_fall_back_trains_too(only_the_reference, problem, check):
    scan = problem(2, 3, 5, 4)
    check(scan, selective_scan, 1e-5)
    # As a compiled graph calls it: through the operator, while autograd is off.
    check(scan, lambda *inputs: library.scan(*inputs)[0], 1e-5)


def test_a_kernel_with_wrong_numbers_is_found_out(monkeypatch):
    from bastzoo.ops.selective_scan import probe
    from bastzoo.ops.selective_scan.cpu import scan as cpu

    assert probe.failure("cpu") is None
    backward = cpu.backward
    monkeypatch.setattr(cpu, "backward", lambda *args: tuple(2 * g for g in backward(*args)))
    assert probe.failure("cpu") == "it runs and its numbers are wrong"
    monkeypatch.setattr(cpu, "forward", lambda *args: 1 / 0)
    assert probe.failure("cpu") == "ZeroDivisionError: division by zero"
