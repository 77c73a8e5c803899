"""What is heard, and where: environments and data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bastzoo.hookspecs.marks import hookspec

if TYPE_CHECKING:
    from bastzoo.registry import Component


@hookspec
def bastzoo_environments() -> list[Component]:  # type: ignore[empty-body]
    """Where the sounds are heard.

    The target is called without arguments and returns a
    `bastzoo.data.environments.Environment`: a name and its rooms, each a
    `bastzoo.acoustics.rooms.shoebox.Room`. Every sound is heard in each room from every azimuth.

    ```python
    # wet_rooms/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_environments():
        return [
            Component(
                kind="environment",
                name="BATHROOM",
                target="wet_rooms.environment:bathroom",
                summary="a tiled bathroom, 2.5 × 3 m, RT60 of 1.2 s",
                licence="MIT",
            )
        ]
    ```

    ```python
    # wet_rooms/environment.py
    from bastzoo.acoustics.rooms.shoebox import Room
    from bastzoo.data.environments import Environment


    def bathroom():
        room = Room(
            "bathroom",
            size=(2.5, 3.0, 2.4),
            rt60=1.2,
            listener=(1.1, 1.4, 1.6),
            source_distance=0.8,
        )
        return Environment("BATHROOM", (room,))
    ```
    """


@hookspec
def bastzoo_datasets() -> list[Component]:  # type: ignore[empty-body]
    """Data sets that users fetch: listeners, rooms or sounds by name.

    The target returns a `DataIndex` (`bastzoo.data.sets.index`): the files with address, size and SHA-256,
    the licence, which files a member needs, and `read(folder, member)`, which returns a `Listener`, a
    `MeasuredRoom`, or the path of a folder of sounds. It is called by `bastzoo data list`, so it must be
    quick. Nothing is fetched unless a user asks, with `bastzoo data fetch NAME`. Listeners are named
    `--listener NAME/MEMBER`, sounds `--sounds NAME`; for rooms, register an environment too, whose
    rooms are `read_members("NAME/MEMBER", "rooms", default_registry())`.

    ```python
    # studio_ears/__init__.py
    from bastzoo import Component, hookimpl


    @hookimpl
    def bastzoo_datasets():
        return [
            Component(
                kind="dataset",
                name="studio",
                target="studio_ears.index:studio",
                summary="two listeners, measured in our studio",
                citation="none",
                licence="CC-BY-4.0",
            )
        ]
    ```

    ```python
    # studio_ears/index.py
    from bastzoo.acoustics.listeners.listener import read_sofa
    from bastzoo.data.sets.index import DataFile, DataIndex

    FILES = {"ann": "11aa" * 16, "bob": "22bb" * 16}  # name -> SHA-256


    def studio():
        return DataIndex(
            name="studio",
            holds="listeners",
            licence="CC-BY-4.0",
            citation="none",
            source="https://example.org/studio",
            files=[
                DataFile(f"{name}.sofa", sha256, url=f"https://example.org/studio/{name}.sofa")
                for name, sha256 in FILES.items()
            ],
            members={name: [f"{name}.sofa"] for name in FILES},
            read=lambda folder, name: read_sofa(folder / f"{name}.sofa"),
        )
    ```
    """
