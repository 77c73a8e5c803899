"""`bastzoo push`: the folder of a model to a hub."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("repository")
@click.option("--private", is_flag=True, help="Only for those who are given access.")
def push(folder: Path, repository: str, private: bool) -> None:
    """Publish FOLDER, which `bastzoo package` wrote, as REPOSITORY (OWNER/NAME) of Hugging Face's hub.

    HF_TOKEN says who you are, HF_ENDPOINT names another hub.

    Example: bastzoo push my-ears my-name/my-ears
    """
    from bastzoo.models.sharing.hub import push as published
    from bastzoo.plugins import default_registry

    reference = published(folder, repository, registry=default_registry(), private=private)
    click.echo(
        f"Published {folder} as {reference}\n\n    bastzoo predict {reference} recording.wav"
    )
