"""`bastzoo package`: a run as a folder that can be copied, shared and loaded."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.names import Named
from bastzoo.cli.options import runs_option


@click.command()
@click.argument("model", type=Named("model or run"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--half", is_flag=True, help="Keep the weights in half precision: half the size.")
@click.option("--name", help="What the model is called; default: the folder's name.")
@click.option("--summary", default="", help="One sentence for the card.")
@click.option("--licence", default="Apache-2.0", show_default=True, metavar="SPDX")
@runs_option
def package(
    model: str, folder: Path, half: bool, name: str | None, summary: str, licence: str, out: str
) -> None:
    """Write MODEL (a run, or whatever else can be loaded) into a new FOLDER: weights, model.json, a card.

    The folder can be copied anywhere: bastzoo predict FOLDER recording.wav

    Example: bastzoo package conv-CONCAT-NLL-SP my-ears --half
    """
    from bastzoo.models.loading import load_localizer
    from bastzoo.models.sharing.package import write_package
    from bastzoo.plugins import default_registry

    localizer = load_localizer(model, registry=default_registry(), out=out)
    changes = {"name": name or folder.name, "licence": licence}
    record = localizer.record.model_copy(
        update={**changes, "summary": summary or localizer.record.summary}
    )
    written = write_package(folder, localizer.model, record, half=half)
    assert written.weights is not None
    size = written.weights.bytes / 2**20
    click.echo(
        f"Wrote {folder}: {written.parameters:,} parameters, {size:.1f} MiB in "
        f"{written.weights.precision}."
    )
    click.echo(f"\n    bastzoo predict {folder} recording.wav")
