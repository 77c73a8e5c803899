"""`bastzoo predict`: where are the sounds of a recording?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bastzoo.cli.options import SOUND_SUFFIXES, runs_option
from bastzoo.errors import tellable

if TYPE_CHECKING:
    from bastzoo.models.localizer import Localizer, Prediction

_STDIN = "-"


def _ears(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    left, comma, right = value.partition(",")
    if not (comma and left.strip().isdigit() and right.strip().isdigit()):
        raise click.BadParameter(
            f"{value!r} are no two channels; write LEFT,RIGHT, counted from 1."
        )
    return int(left), int(right)


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="[MODEL] FILE...")
@click.option(
    "--hop-ms",
    default=None,
    type=click.FloatRange(min=1),
    metavar="MS",
    help="Time between answers.  [default: 250; 100 for -]",
)
@click.option(
    "--ears",
    callback=_ears,
    metavar="L,R",
    help="Which channels are the left and the right ear, from 1; 2,1 exchanges them.",
)
@click.option("--windows", "every_window", is_flag=True, help="One line a window.")
@click.option("--segments", "rttm", is_flag=True, help="Segments, as lines of RTTM.")
@click.option("--csv", "csv_", is_flag=True, help="Every window, as CSV.")
@click.option("--json", "json_", is_flag=True, help="Everything, as JSON; a line an answer for -.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw azimuth against time into an SVG, PNG or PDF.",
)
@click.option(
    "--rate", default=16_000, show_default=True, metavar="HZ", help="Sampling rate of -.", type=int
)
@click.option(
    "--format",
    "format_",
    default="s16le",
    show_default=True,
    type=click.Choice(["s16le", "s32le", "f32le"]),
    help="Samples of -.",
)
@click.option(
    "--channels",
    default=2,
    show_default=True,
    type=click.IntRange(min=1, max=1024),
    help="Channels of -.",
)
@click.option(
    "--device", default="cpu", show_default=True, type=click.Choice(["cpu", "cuda", "mps"])
)
@runs_option
def predict(
    arguments: tuple[str, ...],
    hop_ms: float | None,
    ears: tuple[int, int] | None,
    every_window: bool,
    rttm: bool,
    csv_: bool,
    json_: bool,
    plot: Path | None,
    rate: int,
    format_: str,
    channels: int,
    device: str,
    out: str,
) -> None:
    """Say where the sounds of recordings of two ears are.

    MODEL is a name (bastzoo list model), a run, or a folder that `bastzoo package` wrote; without one the
    default model answers. FILE is a WAV, FLAC, OGG or AIFF file of any rate and length; - reads raw samples
    from standard input and prints a line an answer.

    Examples: bastzoo predict recording.wav --plot where.svg; arecord -f S16_LE -r 16000 -c 2 -t raw |
    bastzoo predict -
    """
    model, files = _model_and_files(arguments)
    if sum([every_window, rttm, csv_, json_]) > 1:
        raise click.UsageError("--windows, --segments, --csv and --json: give one of them.")
    if plot is not None:
        from bastzoo.plots.recording import check_picture

        if len(files) > 1 or _STDIN in files:
            raise click.UsageError("--plot draws one file; give one.")
        check_picture(plot)
    context = click.get_current_context()
    given = [
        f"--{name.rstrip('_')}"
        for name in ("rate", "format_", "channels")
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given and _STDIN not in files:
        raise click.UsageError(f"{', '.join(given)}: of raw samples (-); a file says its own.")
    if _STDIN in files and (len(files) > 1 or every_window or rttm or csv_):
        raise click.UsageError("- is heard alone, a line an answer, or with --json.")
    localizer = _load(model, device, out)
    if _STDIN in files:
        _listen(
            localizer, rate, format_, channels, ears, 100.0 if hop_ms is None else hop_ms, json_
        )
        return
    hop = 250.0 if hop_ms is None else hop_ms
    how = "segments" if rttm else "csv" if csv_ else "json" if json_ else "table"
    _answer(localizer, files, ears, hop, how, every_window=every_window, plot=plot)


def _model_and_files(arguments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The first argument is a model when it is no sound and something follows."""
    first, rest = arguments[0], arguments[1:]
    is_sound = first == _STDIN or first.lower().endswith(SOUND_SUFFIXES)
    if rest and not is_sound:
        return first, rest
    if not rest and not is_sound and not Path(first).is_file():
        raise click.UsageError(
            f"{first!r} is no file. Give a recording: bastzoo predict [MODEL] FILE..."
        )
    return None, arguments


def _load(model: str | None, device: str, out: str) -> Localizer:
    from bastzoo.models.loading import DEFAULT, load_localizer
    from bastzoo.plugins import default_registry

    return load_localizer(model or DEFAULT, registry=default_registry(), out=out, device=device)


def _answer(
    localizer: Localizer,
    files: tuple[str, ...],
    ears: tuple[int, int] | None,
    hop_ms: float,
    how: str,
    *,
    every_window: bool,
    plot: Path | None,
) -> None:
    """Ask about each file; one that cannot be heard is said and the others are answered."""
    from bastzoo.errors import DataError

    answered: list[tuple[str, Prediction]] = []
    faults = []
    for name in files:
        try:
            prediction = localizer(name, hop_ms=hop_ms, ears=ears)
        except DataError as error:
            if len(files) == 1:
                raise
            click.echo(f"Error: {error}", err=True)
            faults.append(name)
            continue
        assert not isinstance(prediction, list)
        answered.append((name, prediction))
        for note in prediction.notes:
            click.echo(f"Note: {tellable(name)}: {note}.", err=True)
        if how in ("table", "segments"):
            _print(localizer, name, prediction, how, every_window)
    if how in ("csv", "json"):
        _print_all(answered, how)
    if plot is not None:
        from bastzoo.plots.recording import draw

        draw(answered[0][1], plot, title=Path(files[0]).name)
        click.echo(f"Drew {plot}.", err=True)
    if faults:
        raise DataError(f"{len(faults)} of {len(files)} files could not be heard.")


def _print(
    localizer: Localizer, name: str, prediction: Prediction, how: str, every_window: bool
) -> None:
    if how == "segments":
        from bastzoo.models.listening.segments import segments

        for segment in segments(prediction):
            click.echo(segment.rttm("_".join(Path(name).stem.split())))
        return
    from bastzoo.cli.models.answers import answer_table

    seconds = prediction.seconds or 0.0
    length = f"{seconds:.1f} s" if seconds >= prediction.window_seconds else f"{seconds:.3g} s"
    click.echo(f"{tellable(name)}: {length}, by the model {localizer.name}")
    for line in answer_table(prediction, every_window=every_window):
        click.echo(line)


def _print_all(answered: list[tuple[str, Prediction]], how: str) -> None:
    from bastzoo.cli.models.answers import as_data, csv_text
    from bastzoo.cli.terminal.output import echo_json

    if how == "csv":
        click.echo(csv_text(answered), nl=False)
    else:
        echo_json([as_data(name, prediction) for name, prediction in answered])


def _listen(
    localizer: Localizer,
    rate: int,
    format_: str,
    channels: int,
    ears: tuple[int, int] | None,
    hop_ms: float,
    json_: bool,
) -> None:
    """Answer on standard input, a line a hop, until it ends or is interrupted."""
    import json

    from bastzoo.cli.models.answers import live_line
    from bastzoo.models.listening.audio import raw_blocks
    from bastzoo.models.listening.windows import Ears

    if sys.stdin.isatty():
        raise click.UsageError("- reads raw samples from standard input; pipe some into it.")
    told: Any = Ears()
    stdin: Any = sys.stdin.buffer
    # Blocks of 5 ms: a window is heard at most that late.
    blocks = raw_blocks(
        stdin,
        kind=format_,
        channels=channels,
        ears=ears,
        most=max(1, rate // 200),
    )
    any_line = False
    try:
        for answer in localizer.stream(
            blocks, rate, hop_ms=hop_ms, ears=told, batch=1, to_the_end=False
        ):
            any_line = True
            click.echo(json.dumps(answer.rows()[0]) if json_ else live_line(answer))
            sys.stdout.flush()
    except KeyboardInterrupt:
        return
    if not any_line:
        click.echo(
            f"Note: less than a window ({localizer.window_seconds:g} s) was heard.", err=True
        )
    for note in told.notes() if any_line else ():
        click.echo(f"Note: {note}.", err=True)
