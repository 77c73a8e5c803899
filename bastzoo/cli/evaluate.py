"""`bastzoo evaluate`: an existing run on another environment."""

from __future__ import annotations

import click

from bastzoo.cli.options import as_json


@click.command()
@click.argument("run")
@click.option(
    "--env",
    "environments",
    multiple=True,
    metavar="NAME",
    help="Environment to test in; repeatable. Default: the run's own.",
)
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda", "mps"]))
@click.option("--out", default="runs", show_default=True, metavar="DIR", help="Folder of the runs.")
@as_json
def evaluate(run: str, environments: tuple[str, ...], device: str, out: str, json_: bool) -> None:
    """Test the model of RUN: a folder, a key, or the beginning of either.

    The result is printed and kept beside the run. Example: bastzoo evaluate mamba-SUB-MIX-SP --env RI02
    """
    from bastzoo.bench.runner import Workbench, evaluate_run
    from bastzoo.bench.store import RECORD_FILE, RunStore, read_record, write_text
    from bastzoo.cli.results import print_evaluations
    from bastzoo.errors import RecordError
    from bastzoo.plugins import default_registry

    path = RunStore(out).find(run)
    record = read_record(path / RECORD_FILE)
    registry = default_registry()
    experiment = record.experiment
    if experiment is None:
        raise RecordError(f"The run {path.name!r} is a baseline, which holds no trained model.")
    chosen = environments or (experiment.environment,)
    names = [registry.get("environment", name).name for name in chosen]
    workbench = Workbench(registry, device=device, precision=experiment.precision)
    results = []
    for name in names:
        result = evaluate_run(path, record, workbench=workbench, environment=name)
        write_text(path / f"evaluation-{name}.json", result.model_dump_json(indent=1) + "\n")
        results.append(result)
    print_evaluations(path.name, results, as_json=json_)
