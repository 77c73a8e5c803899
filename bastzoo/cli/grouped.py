"""A command whose help groups its options by what they decide."""

from __future__ import annotations

import click

_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "What to combine",
        ("backbone", "integration", "loss", "sharing", "head", "frontend", "pretrained"),
    ),
    ("Environments, questions, seeds", ("environment", "tracks", "seeds", "seed")),
    (
        "What trains, and how",
        (
            *("preset", "epochs", "steps", "batch", "learning_rate", "trials", "write"),
            *("cls_weight", "elev_weight", "task_weights"),
            *("train_snr", "train_noise", "train_listeners", "train_heads", "train_sources"),
            "left_out",
        ),
    ),
    (
        "What is heard",
        (
            *("bast_folder", "csv_index", "sound_id", "fit_length", "skip_bad"),
            *("azimuth_direction", "named_listeners", "test_listeners", "hrtf", "hrtf_directions"),
            *("sounds", "cache", "cache_dtype"),
        ),
    ),
    (
        "Where it runs, and what is kept",
        (
            *("out", "device", "precision", "jobs", "executor", "address"),
            *("checkpoint_every", "rerun"),
        ),
    ),
)
_REST = "What is said"


class GroupedCommand(click.Command):
    """A click command with its options under headings, in the order of `_GROUPS`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each group under its heading."""
        records = {
            str(parameter.name): record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        for heading, names in _GROUPS:
            lines = [records.pop(name) for name in names if name in records]
            if lines:
                with formatter.section(heading):
                    formatter.write_dl(lines)
        if records:
            with formatter.section(_REST):
                formatter.write_dl(list(records.values()))
