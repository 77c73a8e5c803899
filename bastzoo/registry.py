"""Components: what a plugin registers, and how one is found, checked and built.

A record is data. The code behind it is imported when a component is *built*, so listing the zoo
imports no model code and no torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from bastzoo.errors import BastzooError, ComponentError, SetupError, unknown_name

Built = TypeVar("Built")

KINDS = (
    "backbone",
    "integration",
    "loss",
    "head",
    "frontend",
    "environment",
    "baseline",
    "executor",
    "dataset",
    "metric",
    "track",
    "model",
)

_TARGET = re.compile(r"[\w.]+:[\w.]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/-]*")
_ANY = "/*"
# Kinds of component that a combination chooses, in the order of a clip's way through the model.
MODEL_KINDS = ("frontend", "backbone", "integration", "head")
COMBINATION_KINDS = (*MODEL_KINDS, "loss")


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a component can run here, and why (not): what a record's `probe` returns.

    >>> import bastzoo as bz
    >>> bz.Availability(False, "needs a GPU").reason
    'needs a GPU'
    """

    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """One entry of the zoo.

    kind: one of `KINDS`.
    name: what users type; compared without case, unique within its kind.
    aliases: other names that are understood wherever this one is: those of papers and of tables.
    target: `"package.module:attribute"`, imported when the component is built.
    summary: one line for `bastzoo list`.
    citation: the paper or standard it comes from (`none` where there is none).
    licence: SPDX identifier of the code behind `target`.
    version: raised by the author when a change makes old results incomparable; part of a run's key.
    requires: importable modules that must be installed.
    probe: `"module:function"` returning an `Availability`; it must be cheap and import no torch.
    parameters: keyword arguments fixed by the record; they win over the preset's sizes, and a preset's
        own `[parameters]` for the component win over both.
    needs: names of the model outputs that a loss consumes; for a head, names of the targets that it needs
        of the data beside the direction (`class`, `elevation`, or one that an environment offers).
    gives: names of the outputs of a head that losses can read.
    terms: names of the loss terms that a head brings beside the loss of the direction.
    sources: how many sources of a clip a head can answer; a parameter `slots` of a preset wins.
    blindness: what a model with this component provably cannot tell, keyed by integration and sharing
        (`{"ADD+SP": "left and right", ...}`); the tests assert it to the last bit.
    members: for a record that stands for a whole family, with a name that ends in `/*`:
        `"module:function"` returning the members' names; it must be quick and import no torch. A member is
        looked up as `family/name`, and its target gets the keyword argument `member`.
    budget: what a training step of 16 clips at the sizes of `quick` takes on a CPU: `ms`, milliseconds
        on one thread, and `mib`, memory for weights, Adam and what the backward pass keeps.
    distribution: filled in by the plugin host.

    Raises ComponentError for a field that makes no sense.

    >>> import bastzoo as bz
    >>> record = bz.Component("loss", "COSINE", "my_ears.loss:Cosine", "1 - cos AD", licence="MIT")
    >>> record.kind, record.version
    ('loss', 1)
    >>> bz.Component("colour", "RED", "my_ears:Red", "-")
    Traceback (most recent call last):
        ...
    bastzoo.errors.ComponentError: ...
    """

    kind: str
    name: str
    target: str
    summary: str
    citation: str = ""
    licence: str = ""
    version: int = 1
    requires: tuple[str, ...] = ()
    probe: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    sources: int = 1
    blindness: Mapping[str, str] = field(default_factory=dict)
    members: str = ""
    budget: Mapping[str, float] = field(default_factory=dict)
    distribution: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ComponentError(
                f"The component {self.name!r} has the kind {self.kind!r}, which bastzoo does not "
                f"know; use one of {', '.join(KINDS)}."
            )
        if not _NAME.fullmatch(self.name.removesuffix(_ANY) if self.members else self.name):
            raise ComponentError(
                f"A {self.kind} is named {self.name!r}; a name starts with a letter or a digit and "
                "holds letters, digits and _ . + / - only."
            )
        if not _TARGET.fullmatch(self.target):
            raise ComponentError(
                f"The {self.kind} {self.name!r} has the target {self.target!r}; "
                'write it as "package.module:attribute".'
            )
        if self.members and not self.name.endswith(_ANY):
            raise ComponentError(
                f"The {self.kind} {self.name!r} has members; a family's name ends in {_ANY!r}."
            )
        if unknown := sorted(set(self.budget) - {"ms", "mib"}):
            raise ComponentError(
                f"The {self.kind} {self.name!r} has a budget of {', '.join(unknown)}; "
                "state ms and mib."
            )
        if not self.summary.strip():
            raise ComponentError(f"The {self.kind} {self.name!r} has no summary; give it one line.")
        for plural in ("requires", "needs", "gives", "terms", "aliases"):
            if isinstance(getattr(self, plural), str):  # ("torch") instead of ("torch",)
                raise ComponentError(
                    f"The {self.kind} {self.name!r} has a string as {plural!r}; "
                    "give a tuple of strings."
                )

    def load(self) -> Any:
        """Import and return what `target` names.

        Raises ComponentError when the module or the attribute is missing.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise ComponentError(
                f"The {self.kind} {self.name!r} of {self.distribution or 'an unnamed plugin'} "
                f"cannot be loaded from {self.target!r}: {error}."
            ) from error
        return found

    def availability(self) -> Availability:
        """Say whether the component can run here, without importing model code."""
        missing = [name for name in self.requires if not _installed(name)]
        if missing:
            return Availability(
                False, f"needs {', '.join(missing)}: pip install {' '.join(missing)}"
            )
        if not self.probe:
            return Availability(True)
        module_name, _, attribute = self.probe.partition(":")
        try:
            # What a probe prints must not end up inside `--json`.
            with redirect_stdout(sys.stderr):
                result = getattr(importlib.import_module(module_name), attribute)()
        except KeyboardInterrupt:
            raise
        except (
            BaseException
        ) as error:  # a probe is third-party code: its failure is a reason, not ours
            told = (
                str(error) if isinstance(error, Exception) else f"{type(error).__name__}: {error}"
            )
            return Availability(False, f"its probe {self.probe!r} failed: {told}")
        return result if isinstance(result, Availability) else Availability(bool(result))

    def family(self) -> tuple[str, ...]:
        """Names of the members of a family, each with the family's prefix; none for a single component.

        Raises ComponentError when they cannot be had.
        """
        if not self.members:
            return ()
        module_name, _, attribute = self.members.partition(":")
        try:
            names = tuple(getattr(importlib.import_module(module_name), attribute)())
        except Exception as error:  # third-party code: its defect is a sentence
            raise ComponentError(
                f"The members of the {self.kind} {self.name!r} cannot be listed: "
                f"{type(error).__name__}: {error}."
            ) from error
        return tuple(f"{self.name.removesuffix(_ANY)}/{name}" for name in names)

    def member(self, name: str) -> Component:
        """The record of a member of this family, by its whole name."""
        _, _, short = name.partition("/")
        return replace(self, name=name, members="", parameters={**self.parameters, "member": short})

    def require(self) -> None:
        """Raise SetupError, with the reason, when the component cannot run here."""
        available = self.availability()
        if not available.ok:
            reason = available.reason or "is not available"
            raise SetupError(f"The {self.kind} {self.name!r} cannot run here: it {reason}.")

    def build(self, **offered: Any) -> Any:
        """Call the target with those of the `offered` keyword arguments that its signature names.

        So a backbone that has no use for `heads` does not have to accept it. `parameters` of the
        record are always passed. Raises SetupError when a requirement is missing and ComponentError
        when an argument without default is not offered.
        """
        self.require()
        target = self.load()
        arguments = {**accepted(target, offered), **self.parameters}
        try:
            inspect.signature(target).bind(**arguments)
        except TypeError as error:
            raise ComponentError(
                f"The {self.kind} {self.name!r} cannot be built from {sorted(arguments)}: {error}."
            ) from error
        return target(**arguments)

    def build_as(self, expected: type[Built]) -> Built:
        """`build` what is data: an environment, the index of a data set, a metric.

        Raises ComponentError for whatever a plugin's target raises, or gives in its place: its defect is a
        sentence, and not our traceback.
        """
        what = f"The {self.kind} {self.name!r} of {self.distribution}"
        try:
            found = self.build()
        except BastzooError:
            raise
        except Exception as error:
            raise ComponentError(
                f"{what} cannot be built: {type(error).__name__}: {error}."
            ) from error
        if not isinstance(found, expected):
            raise ComponentError(
                f"{what} is a {type(found).__name__}; its target returns a "
                f"{expected.__module__}.{expected.__qualname__}."
            )
        return found


def accepted(target: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the `offered` arguments that the signature of `target` names.

    `**keywords` attracts nothing: every module has it that does not write an `__init__` of its own.
    """
    parameters = inspect.signature(target).parameters.values()
    names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    return {name: value for name, value in offered.items() if name in names}


class Registry:
    """All components by kind and name, in the order of registration; names compare without case.

    A component is found under its aliases too; lists name it once.

    >>> import bastzoo as bz
    >>> registry = bz.Registry([bz.Component("loss", "COSINE", "my_ears.loss:Cosine", "1 - cos AD")])
    >>> registry.names("loss"), registry.get("loss", "cosine").summary
    (['COSINE'], '1 - cos AD')
    >>> bz.default_registry().get("loss", "hybrid").name
    'MIX'
    >>> registry.get("loss", "cosin")
    Traceback (most recent call last):
        ...
    bastzoo.errors.ComponentError: There is no loss named 'cosin'. Did you mean 'COSINE'? ...
    """

    def __init__(self, components: Iterable[Component] = ()) -> None:
        self._by_kind: dict[str, dict[str, Component]] = {kind: {} for kind in KINDS}
        self._withdrawn: dict[tuple[str, str], str] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        for component in components:
            self.add(component)

    def add(self, component: Component, *, distribution: str = "") -> Component:
        """Register a component. Raises ComponentError, naming both sides, if the name is taken."""
        if distribution:
            component = replace(component, distribution=distribution)
        named = self._by_kind[component.kind]
        other = named.get(component.name.lower())
        if other is not None:
            raise ComponentError(collision_sentence([other, component]))
        named[component.name.lower()] = component
        for alias in component.aliases:  # who came first keeps it; a name goes before all of them
            self._aliases.setdefault((component.kind, alias.lower()), component.name.lower())
        return component

    def withdraw(self, kind: str, name: str, reason: str) -> None:
        """Take a name out of use: looking it up raises ComponentError with the `reason`."""
        _check_kind(kind)
        self._by_kind[kind].pop(name.lower(), None)
        self._withdrawn[kind, name.lower()] = reason

    def get(self, kind: str, name: str) -> Component:
        """Look a component up, without regard to case. An unknown name gets "did you mean"."""
        _check_kind(kind)
        if reason := self._withdrawn.get((kind, name.lower())):
            raise ComponentError(reason)
        named = self._by_kind[kind]
        component = named.get(name.lower()) or named.get(
            self._aliases.get((kind, name.lower()), "")
        )
        if component is not None and not component.members:
            return component
        known = [c.name for c in named.values()]
        if (family := named.get(f"{name.partition('/')[0].lower()}{_ANY}")) is not None:
            if (member := _spelled(name, family.family())) is not None:
                return family.member(member)
            if "/" in name:
                known = list(family.family())
        raise ComponentError(unknown_name(kind, name, known))

    def names(self, kind: str) -> list[str]:
        """Names of one kind, in the order of registration; families are left out."""
        _check_kind(kind)
        return [c.name for c in self._by_kind[kind].values() if not c.members]

    def match(self, kind: str, pattern: str) -> list[Component]:
        """Components whose name matches a shell wildcard, without regard to case.

        A family is one component for `*`, and its members for a pattern that names it.
        """
        _check_kind(kind)
        pattern = pattern.lower()
        found = []
        for name, component in self._by_kind[kind].items():
            if component.members and pattern.startswith(name.removesuffix("*")):
                fitting = [m for m in component.family() if fnmatchcase(m.lower(), pattern)]
                found += [component.member(member) for member in fitting]
            elif fnmatchcase(name, pattern):
                found.append(component)
        return found

    def __iter__(self) -> Iterator[Component]:
        for named in self._by_kind.values():
            yield from named.values()

    def __len__(self) -> int:
        return sum(len(named) for named in self._by_kind.values())


def collision_sentence(components: Sequence[Component]) -> str:
    """Say who registers one kind and name, and what to do about it."""
    sides = " and ".join(f"{c.distribution or 'unnamed'} ({c.target})" for c in components)
    count = "Two" if len(components) == 2 else str(len(components))
    return (
        f"{count} plugins register the {components[0].kind} {components[0].name!r}: {sides}; "
        "keep one of them (uninstall, rename its component, or set BASTZOO_LOAD_PLUGINS)."
    )


def _spelled(name: str, members: Sequence[str]) -> str | None:
    """A member's name as its family spells it; behind a dot it may have a tag (of its weights)."""
    by_name = {member.lower(): member for member in members}
    stem, dot, tag = name.partition(".")
    if name.lower() in by_name:
        return by_name[name.lower()]
    return f"{by_name[stem.lower()]}{dot}{tag}" if stem.lower() in by_name and tag else None


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ComponentError(unknown_name("kind", kind, list(KINDS)))
