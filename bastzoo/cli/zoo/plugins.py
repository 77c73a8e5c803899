"""`bastzoo plugins`: what is installed, what it registers, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from bastzoo.cli.terminal.output import collisions_as_data, echo_json, table
from bastzoo.plugins import PluginRecord, plugin_host


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything, tracebacks too, as JSON.")
def plugins(as_json: bool) -> None:
    """List the plugins: distribution, version, entry point, and components or error."""
    host = plugin_host()
    if as_json:
        echo_json(
            {
                "plugins": [_data(record) for record in host.records],
                "collisions": collisions_as_data(host),
            }
        )
        return
    header = ("PLUGIN", "DISTRIBUTION", "VERSION", "ENTRY POINT", "STATUS", "SECONDS", "COMPONENTS")
    title, *lines = table([header, *map(_row, host.records)], indent=0)
    click.secho(title, bold=True)
    for record, line in zip(host.records, lines, strict=True):
        click.echo(line)
        if record.error:
            click.echo(f"    {record.error}")
    for collision in host.collisions:
        click.echo(f"collision: {collision.sentence}")


def _row(record: PluginRecord) -> tuple[str, ...]:
    status = record.status if record.ok else "BROKEN"
    return (
        record.name,
        record.distribution,
        record.version,
        record.entry_point,
        f"{status}, SLOW" if record.slow else status,
        f"{record.seconds:.3f}",
        _summary(record),
    )


def _summary(record: PluginRecord) -> str:
    kinds = Counter(component.kind for component in record.components)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _data(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "distribution": record.distribution,
        "version": record.version,
        "entry_point": record.entry_point,
        "status": record.status,
        "ok": record.ok,
        "slow": record.slow,
        "seconds": record.seconds,
        "error": record.error,
        "traceback": record.traceback,
        "components": [{"kind": c.kind, "name": c.name} for c in record.components],
    }
