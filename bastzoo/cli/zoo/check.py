"""`bastzoo check`: does a component, or do all of a plugin, keep the promises of their kinds?"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from bastzoo.cli import FAILURE
from bastzoo.cli.terminal.output import echo_json
from bastzoo.errors import ComponentError, PluginError, unknown_name
from bastzoo.plugins import PluginHost, plugin_host
from bastzoo.registry import KINDS, Component

if TYPE_CHECKING:
    from bastzoo.testing.runner import Finding

_COLOURS = {"pass": "green", "fail": "red", "skipped": "yellow"}


@click.command()
@click.argument("target")
@click.option("--kind", type=click.Choice(KINDS), help="Check components of this kind only.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(context: click.Context, target: str, kind: str | None, as_json: bool) -> None:
    """Check whether components keep the promises of their kinds.

    TARGET is the name of a component, a distribution, or module:attribute of what is not installed: a
    record, a list of records, or a plugin. Exit code 1 when a promise is broken.

    Example: bastzoo check gru
    """
    found = _components(target, kind)

    from bastzoo.testing.runner import findings

    checked: list[tuple[Component, list[Finding]]] = []
    for component, entry_point in found:
        if not as_json:
            _title(component)
        mine = []
        for finding in findings(component, entry_point=entry_point):
            mine.append(finding)
            if not as_json:
                _line(finding)
        checked.append((component, mine))
    every = [finding for _, mine in checked for finding in mine]
    failed = sum(finding.status == "fail" for finding in every)
    if as_json:
        echo_json({"components": [_data(component, mine) for component, mine in checked]})
    else:
        counts = {s: sum(f.status == s for f in every) for s in ("pass", "fail", "skipped")}
        click.echo(
            f"\n{counts['pass']} promises are kept, {counts['fail']} broken, "
            f"{counts['skipped']} skipped."
        )
    if failed:
        context.exit(FAILURE)


def _components(target: str, kind: str | None) -> list[tuple[Component, str]]:
    """The components that a target names, each with its entry point where it is not installed.

    Raises ComponentError when there are none, PluginError for a broken plugin.
    """
    if ":" in target:
        found = [(c, e) for c, e in _uninstalled(target) if kind in (None, c.kind)]
        if not found:
            raise ComponentError(
                f"{target!r} has no component{f' of kind {kind}' if kind else ''}."
            )
        return found
    host = plugin_host()
    kinds = (kind,) if kind else KINDS
    named = [c for each in kinds if (c := _component(host, each, target)) is not None]
    return [(component, "") for component in named or _of_distribution(host, target, kinds)]


def _component(host: PluginHost, kind: str, name: str) -> Component | None:
    try:
        return host.registry.get(kind, name)
    except ComponentError:
        contested = [c.name.lower() for each in host.collisions for c in each.components]
        if name.lower() in contested:
            raise
        return None


def _of_distribution(host: PluginHost, target: str, kinds: tuple[str, ...]) -> list[Component]:
    plugins = [
        r for r in host.records if target.lower() in (r.distribution.lower(), r.name.lower())
    ]
    for record in plugins:
        if not record.ok:
            raise PluginError(f"The plugin {record.name!r} is broken: {record.error}.")
    found = [c for record in plugins for c in record.components if c.kind in kinds]
    if not found:
        known = [c.name for c in host.registry if c.kind in kinds]
        known += [r.distribution for r in host.records]
        raise ComponentError(
            unknown_name("component or plugin", target, list(dict.fromkeys(known)))
        )
    return found


def _uninstalled(target: str) -> Iterator[tuple[Component, str]]:
    """What `module:attribute` names: a record, records, a function that returns them, or a plugin."""
    module_name, _, attribute = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ComponentError(f"{target!r} cannot be imported: {error}.") from error
    hooks = [h for h in (getattr(found, n) for n in dir(found)) if hasattr(h, "bastzoo_impl")]
    if isinstance(found, Component):
        yield replace(found, distribution=module_name), ""
        return
    if hasattr(found, "bastzoo_impl"):
        hooks, target = [found], module_name
    records = [c for hook in hooks for c in hook()] if hooks else found
    if not isinstance(records, list | tuple) or not all(isinstance(c, Component) for c in records):
        raise ComponentError(
            f"{target!r} is a {type(found).__name__}; name a Component, a list of them, or a plugin "
            "with @hookimpl functions."
        )
    for component in records:
        yield replace(component, distribution=module_name), target if hooks else ""


def _title(component: Component) -> None:
    click.secho(f"\n{component.kind} {component.name}", bold=True, nl=False)
    click.echo(f"  ({component.target}, {component.distribution or 'not installed'})")


def _line(finding: Finding) -> None:
    status = click.style(f"{finding.status:8}", fg=_COLOURS[finding.status])
    click.echo(f"  {status} {finding.promise}")
    if finding.reason:
        click.echo(f"           {finding.reason}")


def _data(component: Component, mine: list[Finding]) -> dict[str, Any]:
    return {
        "kind": component.kind,
        "name": component.name,
        "target": component.target,
        "distribution": component.distribution,
        "ok": all(finding.status != "fail" for finding in mine),
        "findings": [asdict(finding) for finding in mine],
    }
