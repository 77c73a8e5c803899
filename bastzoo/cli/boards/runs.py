"""`bastzoo runs`: what is in a folder of runs, in short and at length; removing and verifying it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli.answers.runs_answers import answers
from bastzoo.cli.names import Named
from bastzoo.cli.options import Command, as_json, runs_option
from bastzoo.errors import SetupError, tellable
from bastzoo.limits.memory import without_garbage_collection

if TYPE_CHECKING:
    from bastzoo.records.listing import Listed
    from bastzoo.records.store import RunStore

_STATUSES = ("finished", "failed", "stale", "running", "unfinished")
_FILTERS = {
    "backbone": "--backbone",
    "integration": "--integ",
    "loss": "--loss",
    "sharing": "--sharing",
    "head": "--head",
    "frontend": "--frontend",
    "environment": "--env",
    "preset": "--preset",
    "seed": "--seed",
    "baseline": "--baseline",
}


def _filters(command: Command) -> Command:
    """An option for everything that runs are told apart by, and `--runs`."""
    options = [
        click.option(
            flag,
            name,
            multiple=True,
            type=str if name == "seed" else Named(name),
            metavar="S" if name == "seed" else "NAME",
        )
        for name, flag in _FILTERS.items()
    ]
    options.append(
        click.option(
            "--status",
            multiple=True,
            type=click.Choice(_STATUSES, case_sensitive=False),
            help="stale: of other code, another preset or other data than now.",
        )
    )
    options.append(runs_option)
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def runs() -> None:
    """List, show, remove and verify runs, and write what they answered.

    The options that choose runs are repeatable: `--env RI01 --env RI02` takes both.
    """


runs.add_command(answers)


@runs.command("list")
@_filters
@as_json
@click.pass_context
@without_garbage_collection()
def list_runs(context: click.Context, out: str, json_: bool, **chosen: tuple[str, ...]) -> None:
    """List the runs of a folder.

    Example: bastzoo runs list --backbone mamba --env RI02 --status failed
    """
    from bastzoo.cli.terminal.output import echo_json, table
    from bastzoo.cli.terminal.progress import say
    from bastzoo.records.store import RunStore

    store = RunStore(out)
    everything, faults = _all(store)
    chosen = _spelled(chosen, everything)
    found = [run for run in everything if run.fits(chosen)]
    if json_:
        echo_json([run.facts for run in found])
    elif found:
        headers = ["status", "run", "heard in", "preset", "seed", "AD", "key", "remark"]
        click.echo("\n".join(table([headers, *(_line(run) for run in found)], indent=0)))
    if not json_:
        counts = Counter[str](run.status for run in found)
        words = ", ".join(f"{counts[status]} {status}" for status in _STATUSES if counts[status])
        of = f" of {len(everything)}" if len(found) != len(everything) else ""
        click.echo(
            f"{chr(10) if found else ''}{len(found)}{of} runs in {out}{words and ': '}{words}"
        )
    for fault in faults:
        say(fault)
    if faults:
        context.exit(2)


def _spelled(
    chosen: dict[str, tuple[str, ...]], everything: Sequence[Listed]
) -> dict[str, tuple[str, ...]]:
    """The values of filters by component as records spell them: aliases become names.

    Raises ComponentError for a name that neither a run nor the zoo has: a slip, and not an answer of 0 runs.
    """
    from bastzoo.plugins import default_registry
    from bastzoo.registry import KINDS

    registry = default_registry()
    found = dict(chosen)
    for kind, values in chosen.items():
        if kind not in KINDS or not values:
            continue
        there = {str(run.facts.get(kind)).lower() for run in everything}
        found[kind] = tuple(
            value if value.lower() in there else registry.get(kind, value).name for value in values
        )
    return found


@runs.command()
@click.argument("run", type=Named("run"))
@runs_option
@as_json
def show(run: str, out: str, json_: bool) -> None:
    """Show a run: what was run, how, where, and what came out.

    RUN is a folder, a key, or the beginning of either.
    """
    import json

    from bastzoo.cli.terminal.results import print_details, print_run
    from bastzoo.plugins import default_registry
    from bastzoo.records.listing import find
    from bastzoo.records.staleness import Present
    from bastzoo.records.store import RunStore

    found = find(RunStore(out), run, Present(default_registry()))
    assert found.record is not None
    if json_:
        record = found.record.model_dump(mode="json")
        state = {"status": found.status, "remark": found.remark, "path": str(found.path)}
        click.echo(json.dumps({**state, "record": record}, indent=1))
        return
    if found.status == "stale":
        click.echo(f"This run is stale: {tellable(found.remark)}.\n")
    print_run(found.record, found.path, as_json=False)
    print_details(found.record, found.path)


@runs.command()
@click.argument("run", nargs=-1, type=Named("run"))
@_filters
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed.")
def rm(run: tuple[str, ...], out: str, yes: bool, dry_run: bool, **chosen: tuple[str, ...]) -> None:
    """Remove runs: those named, or those that the options choose.

    Runs that somebody works on are left alone. An unfinished run loses its checkpoint.

    Example: bastzoo runs rm --status stale
    """
    from bastzoo.cli.terminal.progress import say
    from bastzoo.records.claims import Claims
    from bastzoo.records.store import RunStore, in_sentences

    store = RunStore(out)
    found = _chosen(store, run, chosen, "removed")
    running = [one for one in found if one.status == "running"]
    for one in running:
        say(f"{_name(one)} is left alone: {one.remark} works on it.")
    found = [one for one in found if one.status != "running"]
    if not found:
        click.echo("There is nothing to remove.")
        return
    for one in found:
        click.echo(f"{one.status:10}  {_name(one)}")
    count = f"{len(found)} run{'s' * (len(found) > 1)}"
    if dry_run:
        click.echo(f"{count} would be removed from {out}.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise SetupError(
                f"Nothing was removed from {out}: there is no terminal to ask on; give --yes."
            )
        if not click.confirm(f"Remove {count} from {out}, with weights and predictions?"):
            click.echo("Nothing was removed.")
            return
    claims, removed = Claims(store.folder), 0
    for one in found:
        with in_sentences(store.folder, "--runs"):
            claim = claims.acquire(one.key)
        if claim is None:  # somebody has begun it while we were asking
            say(f"{_name(one)} is left alone: somebody works on it now.")
            continue
        with claim:
            claim.check()
            if one.path is not None:
                store.remove(one.path)
            claims.clear(one.key, claim)
        removed += 1
    click.echo(f"Removed {removed} run{'s' * (removed != 1)}.")


@runs.command()
@click.argument("run", nargs=-1, type=Named("run"))
@_filters
@as_json
@click.pass_context
def verify(
    context: click.Context,
    run: tuple[str, ...],
    out: str,
    json_: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Verify runs: those named, those that the options choose, or all.

    The key is hashed again, the metrics are computed again from the predictions, the weights are loaded
    into their model, and every file is read. Exit code 2 when something does not hold; a stale run is
    named, and no fault.

    RUN can also be a folder of record files, as under leaderboards/records/, or such a file: figures are
    computed again from the predictions beside them, where there are some.
    """
    from bastzoo.cli.terminal.output import echo_json
    from bastzoo.records.store import RunStore

    if run and all(_is_committed(name) for name in run):
        from bastzoo.cli.answers.committed import verify_committed

        verify_committed(context, run, as_json=json_)
        return
    store = RunStore(out)
    if run or any(chosen.values()):
        found = _chosen(store, run, chosen, "verified")
        unreadable: list[str] = []
    else:
        found, unreadable = _all(store)
    with_record = [one for one in found if one.record is not None and one.path is not None]

    from bastzoo.answers.submitted.checking import faults_of_answers
    from bastzoo.harness.verification import faults_of, twice
    from bastzoo.harness.workbench import Workbench
    from bastzoo.plugins import default_registry

    workbench = Workbench(default_registry(), device="cpu", precision="no")
    doubled = twice(store)
    results: list[dict[str, Any]] = []
    for one in with_record:
        assert one.record is not None
        assert one.path is not None
        stale = one.status == "stale"
        if one.record.answers is not None:
            faults = list(faults_of_answers(one.record, one.path, workbench=workbench))
        else:
            faults = list(faults_of(one.record, one.path, workbench=workbench, is_stale=stale))
        if one.key in doubled:
            faults.append(f"its key is that of several folders: {', '.join(doubled[one.key])}")
        results.append({"run": one.path.name, "status": one.status, "faults": faults})
        if not json_:
            for fault in faults:
                click.echo(f"{_name(one)}: {fault}.")
            if stale:
                click.echo(f"{_name(one)}: stale ({tellable(one.remark)}).")
    broken = sum(bool(result["faults"]) for result in results) + len(unreadable)
    if json_:
        echo_json({"runs": results, "unreadable": unreadable})
    else:
        for fault in unreadable:
            click.echo(fault)
        total = len(results) + len(unreadable)
        click.echo(
            f"{total - broken} of {total} runs hold: key, predictions, metrics, history, weights."
        )
    if broken:
        context.exit(2)


def _is_committed(name: str) -> bool:
    """Whether this is a record file, or a folder of them."""
    from bastzoo.records.store import RECORD_FILE

    path = Path(name)
    is_run = (path / RECORD_FILE).is_file()
    return path.suffix == ".json" or (not is_run and any(path.glob("*.json")))


def _all(store: RunStore) -> tuple[list[Listed], list[str]]:
    from bastzoo.errors import RecordError
    from bastzoo.plugins import default_registry
    from bastzoo.records.listing import listed
    from bastzoo.records.staleness import Present

    if not store.folder.is_dir():
        raise RecordError(
            f"There is no folder {str(store.folder)!r}; `bastzoo bench` and `bastzoo train` make "
            "it, and --runs names another one."
        )
    return listed(store, Present(default_registry()))


def _chosen(
    store: RunStore, names: Sequence[str], chosen: dict[str, tuple[str, ...]], what: str
) -> list[Listed]:
    """The runs that are named or chosen. Raises SetupError when the command says neither."""
    from bastzoo.errors import RecordError

    if not names and not any(chosen.values()):
        raise SetupError(
            f"Say which runs are to be {what}: their names, or options such as --status failed."
        )
    found, _ = _all(store)
    fitting = [run for run in found if run.fits(chosen)]
    if not names:
        return fitting
    named: dict[str, Listed] = {}
    for name in names:
        same = [run for run in fitting if _is_named(run, name, store)]
        if len(same) != 1:
            problem = "no run fits" if not same else f"{len(same)} runs fit; write more of it"
            raise RecordError(f"{name!r} in {str(store.folder)!r}: {problem}.")
        named[same[0].key] = same[0]
    return list(named.values())


def _is_named(run: Listed, name: str, store: RunStore) -> bool:
    if run.key.startswith(name):
        return True
    if run.path is None:
        return False
    direct = Path(name)
    if direct.name and (store.folder / direct.name).is_dir() and direct.name == run.path.name:
        return True
    return run.path.name.lower().startswith(name.lower())


def _name(run: Listed) -> str:
    if run.path is not None:
        return tellable(run.path.name)
    return tellable(f"{run.tested} ({run.key})") if run.tested is not None else run.key


def _line(run: Listed) -> list[str]:
    facts = run.facts
    condition = f", {facts['condition']}" if facts.get("condition") else ""
    return [
        run.status,
        _what(run),
        f"{facts.get('environment', '-')}{condition}",
        facts.get("preset", "-"),
        str(facts.get("seed", "-")),
        f"{facts['ad']:.2f}°" if facts.get("ad") is not None else "-",
        run.key,
        _short(run.remark),
    ]


def _what(run: Listed) -> str:
    from bastzoo.experiment import Experiment
    from bastzoo.records.record import AnswersExperiment

    if isinstance(run.tested, Experiment):
        return str(run.tested.combination)
    if isinstance(run.tested, AnswersExperiment):
        return f"answers of {run.tested.name}"
    return f"baseline {run.tested.component.name}" if run.tested is not None else "-"


def _short(text: str, longest: int = 60) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= longest else line[: longest - 1] + "…"
