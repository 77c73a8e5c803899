"""The errors that a user can meet: each message is a sentence that says what is wrong, where, and what to do.

The CLI prints the message of a `BastzooError` and exits with its `exit_code`; any other exception is a
defect of bastzoo (or of a plugin) and keeps its traceback.
"""


class BastzooError(Exception):
    """Base of every error that bastzoo raises on purpose; its text is a sentence for the user.

    >>> import bastzoo as bz
    >>> try:
    ...     bz.load("defualt")
    ... except bz.BastzooError as error:
    ...     print("Did you mean 'default'?" in str(error))
    True
    """

    exit_code = 1


class SetupError(BastzooError):
    """The environment cannot do what was asked: a missing package, device, folder or permission.

    >>> import bastzoo as bz
    >>> issubclass(bz.SetupError, bz.BastzooError), bz.SetupError.exit_code
    (True, 1)
    """


class FolderError(SetupError):
    """The folder of runs cannot be written: no run can end well, so a whole grid stops."""


class ComponentError(BastzooError):
    """A component is unknown, registered twice, malformed, or cannot be built.

    >>> import bastzoo as bz
    >>> bz.create_model("mambo")
    Traceback (most recent call last):
        ...
    bastzoo.errors.ComponentError: There is no backbone named 'mambo'. Did you mean 'mamba'? ...
    """


class CombinationError(BastzooError):
    """Components that do not fit each other, refused before anything runs."""


class PluginError(BastzooError):
    """A plugin cannot be loaded (fatal only under `BASTZOO_STRICT_PLUGINS=1`).

    >>> import bastzoo as bz
    >>> issubclass(bz.PluginError, bz.BastzooError)
    True
    """


class PresetError(BastzooError):
    """A preset is unknown, or its TOML holds a field or a value that makes no sense."""


class DataError(BastzooError):
    """Input data cannot be used: a file, a row, a shape."""


class TrainingError(BastzooError):
    """A training run cannot go on (its loss is not finite, say); the rest of a grid can."""


class RecordError(BastzooError):
    """A run record is missing, cut short, or does not follow the schema."""


class ClaimLostError(BastzooError):
    """Another process has taken a run over; whoever had it before writes and removes nothing more."""


def tellable(text: str, longest: int = 300) -> str:
    """A stranger's text as a terminal can show it: on one line, nothing invisible, not too long.

    File names and cells come from outside: they can hold escape sequences, line ends, halves of
    surrogate pairs, or a megabyte.
    """
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} ... {text[-half:]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


_MANY, _FEW = 60, 6
"""Of more names than `_MANY` a sentence lists the first `_FEW`."""


def unknown_name(what: str, name: str, known: list[str]) -> str:
    """Say that nothing is called `name`, what was probably meant, and what there is."""
    import difflib

    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    hint = f" Did you mean {lowered[close[0]]!r}?" if close else ""
    many = len(known) > _MANY
    more = f", ... ({len(known)} in all)" if many else ""
    listed = ", ".join(known[:_FEW] if many else known) or "none"
    return f"There is no {what} named {name!r}.{hint} Known: {listed}{more}."
