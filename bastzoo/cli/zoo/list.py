"""`bastzoo list`: the components that can be named on a command line."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from bastzoo.cli.terminal.output import collisions_as_data, echo_json, echo_problems, table
from bastzoo.errors import ComponentError, unknown_name
from bastzoo.hookspecs import KIND_OF_HOOK
from bastzoo.plugins import BUILT_IN, PluginHost, plugin_host
from bastzoo.registry import KINDS, Component, Registry

_KIND_OF_WORD = {
    **{kind: kind for kind in KINDS},
    **{hook.removeprefix("bastzoo_"): kind for hook, kind in KIND_OF_HOOK.items()},
    "integ": "integration",  # as the options of `bastzoo bench` are named
    "env": "environment",
    "envs": "environment",
}


@click.command("list")
@click.argument("kind", required=False)
@click.argument("pattern", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the whole records as JSON.")
def list_components(kind: str | None, pattern: str | None, as_json: bool) -> None:
    """List the components of every plugin, or those of one KIND.

    KIND is one of backbone, integration, loss, head, frontend, environment, baseline, executor,
    dataset, metric, track, model (or a plural).
    PATTERN is a name or a shell wildcard in quotes: bastzoo list backbone 'timm/*'.
    """
    host = plugin_host()
    components = _select(host.registry, kind, pattern)
    if as_json:
        _echo_data(host, components)
        return
    heading = ""
    rows = [(component.name, component.summary) for component in components]
    for component, line in zip(components, table(rows), strict=True):
        if component.kind != heading:
            heading = component.kind
            click.secho(heading, bold=True)
        click.echo(line)
        if notes := _notes(component):
            click.echo(f"    [{notes}]")
    echo_problems(host)


def _select(registry: Registry, word: str | None, pattern: str | None) -> list[Component]:
    """The components that the arguments name. Raises ComponentError when there are none."""
    if word is None:
        return list(registry)
    kind = _KIND_OF_WORD.get(word.lower())
    if kind is None:
        raise ComponentError(unknown_name("kind", word, list(KINDS)))
    found = registry.match(kind, pattern or "*")
    if pattern and not found:
        registry.get(kind, pattern)  # raises: "did you mean", or who contests the name
    return found


def _notes(component: Component) -> str:
    """Who brought the component, and what to know before using it here."""
    availability = component.availability()
    origin = component.distribution
    return "; ".join(
        [
            *([f"from {origin}"] if origin != BUILT_IN else []),
            *(["not available here"] if not availability.ok else []),
            *([availability.reason] if availability.reason else []),
        ]
    )


def _echo_data(host: PluginHost, components: list[Component]) -> None:
    echo_json(
        {
            "components": [_data(component) for component in components],
            "collisions": collisions_as_data(host),
            "broken_plugins": [
                {
                    "name": record.name,
                    "distribution": record.distribution,
                    "version": record.version,
                    "error": record.error,
                }
                for record in host.broken
            ],
        }
    )


def _data(component: Component) -> dict[str, Any]:
    availability = component.availability()
    # Not dataclasses.asdict: it copies deeply, and the values of `parameters` may refuse that.
    fields = {f.name: getattr(component, f.name) for f in dataclasses.fields(component)}
    return {**fields, "available": availability.ok, "reason": availability.reason}
