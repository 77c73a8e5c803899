"""The workbench: what the runs of a process share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bastzoo.conditions import DataSource
from bastzoo.harness.workbench.heard import HeardData
from bastzoo.harness.workbench.resolving import Resolver
from bastzoo.harness.workbench.session import Session
from bastzoo.registry import Registry

if TYPE_CHECKING:
    from bastzoo.data.recorded.convert import ConversionState


class Workbench:
    """Session (device and what is built on it), data (what is heard), resolver (what is asked for).

    device, precision: of the session; source, cache, cache_dtype and progress: of the data.

    Raises SetupError for a device or a precision that is not to be had here.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        device: str = "auto",
        precision: str = "no",
        source: DataSource | None = None,
        cache: Path | None = None,
        cache_dtype: str = "float16",
        progress: Callable[[ConversionState], None] | None = None,
    ) -> None:
        self.session = Session(registry, device=device, precision=precision)
        self.data = HeardData(
            self.session,
            source or DataSource(),
            cache=cache,
            cache_dtype=cache_dtype,
            progress=progress,
        )
        self.resolver = Resolver(self.session, self.data)
