"""`bastzoo import-bast`: a checkpoint of the original program as a run of ours."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.options import runs_option


@click.command("import-bast")
@click.argument("file", type=click.Path(path_type=Path))
@runs_option
def import_bast(file: Path, out: str) -> None:
    """Turn a checkpoint of BAST or BAST-Mamba (FILE.pkl) into a run.

    Nothing in the file is executed. The run answers in bastzoo's angles (counter-clockwise; BAST's are
    clockwise), and evaluate, predict, package and leaderboards of tracks take it.

    Example: bastzoo import-bast BAST_SUB_MIX_XY_NSP_best.pkl
    """
    from bastzoo.models.bast.imported import import_bast as imported
    from bastzoo.plugins import default_registry
    from bastzoo.records.store import RECORD_FILE, RunStore, read_record

    folder = imported(file, RunStore(out), default_registry())
    record = read_record(folder / RECORD_FILE)
    assert record.experiment is not None
    sizes = record.experiment.preset.model
    click.echo(f"Imported {file.name} as {folder}")
    click.echo(
        f"  {record.experiment.combination}, width {sizes.dim}, depth {sizes.depth}, trained on BAST's "
        f"{record.experiment.environment}\n"
    )
    click.echo(f"    bastzoo evaluate {record.key} --env RI02")
    click.echo(f"    bastzoo predict {record.key} recording.wav")
