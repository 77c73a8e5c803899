"""`bastzoo export`: a model for other runtimes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import runs_option


@click.command()
@click.argument("model", type=Named("model or run"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "torch-export"]),
    help="Default: onnx, or torch-export for a FILE that ends in .pt2.",
)
@click.option(
    "--quantize",
    type=click.Choice(["int8"]),
    help="Keep the linear layers of an ONNX file in 8-bit integers; what that costs is measured and said.",
)
@runs_option
def export(model: str, file: Path, format_: str | None, quantize: str | None, out: str) -> None:
    """Write MODEL (a name, a run, a folder) into FILE, frontend included: clips in, directions out.

    The file takes clips `[batch, 2, 8000]` at 16 kHz, the left ear first, any number at a time, and answers
    `direction` (x front, y left, z up) and whatever else the head says.

    Examples: bastzoo export default ears.onnx; bastzoo export default ears.pt2
    """
    from bastzoo.errors import SetupError
    from bastzoo.models.exporting.export import (
        OPSET,
        check_packages,
        export_onnx,
        export_torch,
    )
    from bastzoo.models.loading import load_localizer
    from bastzoo.plugins import default_registry

    if format_ is None and file.suffix not in (".onnx", ".pt2"):
        raise click.UsageError(
            f"{file.name!r} says no format: call it {file.stem}.onnx or {file.stem}.pt2, or give --format."
        )
    format_ = format_ or ("torch-export" if file.suffix == ".pt2" else "onnx")
    if quantize and format_ != "onnx":
        raise click.UsageError("--quantize is for ONNX files.")
    if format_ == "onnx":
        check_packages("onnx", "onnxscript", *(["onnxruntime"] if quantize else []))
    if not file.absolute().parent.is_dir():
        raise SetupError(f"There is no folder {str(file.absolute().parent)!r} to write into.")
    if not os.access(file.absolute().parent, os.W_OK):
        raise SetupError(f"The folder {str(file.absolute().parent)!r} cannot be written.")
    localizer = load_localizer(model, registry=default_registry(), out=out)
    aside = file.with_name(f".writing-{file.name}")
    cost = None
    try:
        if format_ == "torch-export":
            names = export_torch(localizer, aside)
        else:
            names = export_onnx(localizer, aside)
            if quantize:
                from bastzoo.models.exporting.quantization import quantize_onnx

                smaller = aside.with_suffix(".int8")
                cost = quantize_onnx(aside, smaller)
                smaller.replace(aside)
        size = aside.stat().st_size / 2**20
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
        aside.with_suffix(".int8").unlink(missing_ok=True)
    what = f"ONNX, opset {OPSET}" if format_ == "onnx" else "a program of torch.export"
    click.echo(f"Wrote {file}: {what}, {size:.1f} MiB{', int8' if quantize else ''}")
    taken = "features" if localizer.record.components["frontend"].name == "precomputed" else "clips"
    click.echo(f"  {taken} -> {', '.join(names)}")
    if cost is not None:
        click.echo(
            f"  mean AD on {cost.clips} clips ({cost.test}): {cost.ad_float32:.2f}° before, "
            f"{cost.ad_int8:.2f}° in int8; also in the file's metadata"
        )
