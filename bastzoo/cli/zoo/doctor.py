"""`bastzoo doctor`: what this installation can do, and what is wrong with it."""

from __future__ import annotations

import importlib
import os
import platform
import warnings
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import click

from bastzoo import __version__
from bastzoo.cli import FAILURE
from bastzoo.cli.terminal.output import echo_json, table
from bastzoo.plugins import plugin_host

REQUIRED = (
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "numpy",
    "scipy",
    "numba",
    "h5py",
    "soundfile",
    "soxr",
    "pandas",
    "pydantic",
    "safetensors",
    "huggingface-hub",
    "einops",
    "jaxtyping",
    "jinja2",
    "platformdirs",
    "pluggy",
    "psutil",
    "click",
    "rich",
    "tabulate",
)
OPTIONAL = ("mamba-ssm", "triton", "mambapy", "ray", "matplotlib", "onnx", "onnxruntime")


@dataclass(slots=True)
class Diagnosis:
    """Sections of findings by name, and one sentence for each thing that is broken."""

    versions: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    selective_scan: dict[str, str] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)
    cannot_run_here: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check versions, devices, threads, scan kernels and plugins; exit with 1 if one is broken."""
    found = diagnose()
    if as_json:
        sections = {name: getattr(found, name) for name in Diagnosis.__slots__}
        echo_json({"ok": not found.problems, **sections})
    else:
        _print(found)
    if found.problems:
        ctx.exit(FAILURE)


def diagnose() -> Diagnosis:
    """Look at everything. Nothing that is broken stops the rest from being looked at."""
    found = Diagnosis()
    _look_at_versions(found)
    _look_at_plugins(found)
    _look_at_torch(found)
    return found


def _print(found: Diagnosis) -> None:
    for name in Diagnosis.__slots__:
        findings = getattr(found, name)
        if name == "problems" or not findings:
            continue
        click.secho(name.replace("_", " "), bold=True)
        for line in table(list(findings.items())):
            click.echo(line)
    if not found.problems:
        click.secho("Nothing is broken.", fg="green")
        return
    click.secho("problems", bold=True)
    for problem in found.problems:
        click.echo(f"  - {problem}")
    count = len(found.problems)
    click.secho(f"{count} {'thing is' if count == 1 else 'things are'} broken.", fg="red")


def _look_at_versions(found: Diagnosis) -> None:
    found.versions = {"python": platform.python_version(), "bastzoo": __version__}
    for name in (*REQUIRED, *OPTIONAL):
        try:
            found.versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            optional = name in OPTIONAL
            found.versions[name] = "not installed (optional)" if optional else "NOT INSTALLED"
            if not optional:
                found.problems.append(f"{name} is not installed: pip install {name}.")


def _look_at_plugins(found: Diagnosis) -> None:
    host = plugin_host()
    for record in host.records:
        origin = f"{record.distribution} {record.version}".rstrip()
        note = f"{record.status}: {record.error}" if record.error else record.status
        found.plugins[f"{record.name} ({origin})"] = note
    for component in host.registry:
        availability = component.availability()
        if not availability.ok:
            found.cannot_run_here[f"{component.kind} {component.name}"] = availability.reason
    found.problems += host.problems()


def _look_at_torch(found: Diagnosis) -> None:
    """Devices, threads and scan kernels, as far as torch can be imported."""
    found.devices["cpu"] = platform.machine()
    try:
        import torch
    except Exception as error:  # a damaged installation raises anything: OSError, ImportError, ...
        found.problems.append(f"torch cannot be imported: {_one_line(error)}.")
        return
    _check_torchvision(found)
    found.devices["cpu"] = _processor()
    found.devices["cuda"] = _cuda()
    if torch.backends.mps.is_available():
        found.devices["mps"] = "available"
    found.threads["torch"] = (
        f"{torch.get_num_threads()} within an operation, {torch.get_num_interop_threads()} between"
    )
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        found.threads[variable] = os.environ.get(variable, "not set")
    _look_at_scan(found)


def _processor() -> str:
    try:
        from bastzoo.records.provenance import processor
    except Exception:  # it imports more than torch, and any of that may be what is broken
        return platform.machine()
    return processor()


def _check_torchvision(found: Diagnosis) -> None:
    """A torchvision built for another torch, or for another device, fails when timm imports it."""
    versions = found.versions["torch"], found.versions["torchvision"]
    try:
        importlib.import_module("torchvision")
    except Exception as error:
        found.problems.append(
            f"torchvision {versions[1]} does not work with torch {versions[0]}: "
            f"{_one_line(error)}. Install the two as a matching pair, from one index."
        )
        return
    builds = [version.partition("+")[2] for version in versions]
    if all(builds) and builds[0] != builds[1]:
        found.problems.append(
            f"torch {versions[0]} and torchvision {versions[1]} are built for different devices; "
            "install the two from one index."
        )


def _cuda() -> str:
    import torch

    with warnings.catch_warnings(record=True) as complaints:  # of a driver that is too old, say
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if usable:
        count = torch.cuda.device_count()
        return "; ".join(_gpu(torch.cuda.get_device_properties(i)) for i in range(count))
    if torch.version.cuda is None:
        return "none: this torch is built without CUDA"
    reason = _one_line(complaints[0].message) if complaints else "no GPU is visible"
    return f"none: {reason} (torch is built for CUDA {torch.version.cuda})"


def _gpu(properties: Any) -> str:
    return (
        f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, "
        f"compute capability {properties.major}.{properties.minor}"
    )


def _look_at_scan(found: Diagnosis) -> None:
    """Which implementation of the selective scan runs where, and why the others do not."""
    try:
        from bastzoo.ops.selective_scan.availability import forced_implementation
        from bastzoo.ops.selective_scan.choice import diagnosis, implementation_for

        forced = forced_implementation()
        tried = diagnosis()
        devices = ("cpu",) if found.devices["cuda"].startswith("none") else ("cpu", "cuda")
        for device in devices:
            name = implementation_for(device)
            found.selective_scan[f"runs on {device}"] = name
            if name == "reference" and forced is None:
                reasons = "; ".join(f"{it.name}: {it.reason}" for it in tried if not it.ok)
                found.problems.append(f"The selective scan on {device} is the slow one. {reasons}")
    except Exception as error:  # BASTZOO_SCAN may ask for what cannot run here
        found.problems.append(f"The selective scan cannot run: {_one_line(error)}.")
        return
    for it in tried:
        found.selective_scan[it.name] = f"{'ready' if it.ok else 'not here'}: {it.reason}"


def _one_line(error: BaseException | str | Warning) -> str:
    return " ".join(str(error).split()).rstrip(".")
