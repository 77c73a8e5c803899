"""`bastzoo clips`: the test clips of a track as WAV files, for methods that are no plugin."""

from __future__ import annotations

from pathlib import Path

import click

from bastzoo.cli.answers.options import asked_options
from bastzoo.cli.names import Named
from bastzoo.cli.options import target_option


@click.command()
@click.argument("track", type=Named("track"))
@target_option(required=True, type=click.Path(path_type=Path), metavar="DIR")
@asked_options
def clips(track: str, target: Path, preset: str, environment: str) -> None:
    """Write the test clips of TRACK: WAV files, and a CSV of their names without answers.

    TRACK is a track or an environment (bastzoo list track). Answer every clip of clips.csv, in a CSV of clip,
    azimuth_deg (-180 to 180, 0 in front, +90 left) and, if there are any, elevation_deg, class, confidence;
    then: bastzoo score ANSWERS.csv --track TRACK --name "My method".

    Example: bastzoo clips RI --to clips-of-ri
    """
    from bastzoo.answers.clips import write_clips
    from bastzoo.answers.questions import asked
    from bastzoo.cli.terminal.progress import say

    found = asked(track, preset=preset, environment=environment)
    about: dict[str, object] = {
        "track": found.track.name,
        "version": found.track.version,
        "question": found.track.question,
        "preset": preset,
        "environment": environment,
        "clips": found.clips,
        "answer": {
            "columns": "clip, azimuth_deg[, elevation_deg, class, confidence]",
            "azimuth_deg": "-180 to 180, 0 in front, +90 on the left",
            "classes": list(found.questions[0].clips.classes),
        },
        "score": f"bastzoo score ANSWERS.csv --track {found.track.name} --name NAME"
        + f" --preset {preset}" * (preset != "quick")
        + f" --env {environment}" * (environment != "RI"),
    }
    say(f"Writing {found.clips:,} clips ...")
    count = write_clips(found.questions, target, about=about)
    click.echo(
        f"Wrote {count:,} clips of the track {found.track.name} to {target}: clips.csv, wav/"
    )
