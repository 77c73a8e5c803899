"""Promises of data sets."""

from __future__ import annotations

import re

from bastzoo.data.sets.index import DataIndex
from bastzoo.testing.suite import ComponentSuite

_SHA256 = re.compile(r"[0-9a-f]{64}")


class DatasetSuite(ComponentSuite):
    """Promises of a data set: an index from which every file can be fetched and checked."""

    kind = "dataset"

    def build(self) -> DataIndex:
        """Build the index."""
        return self.record.build_as(DataIndex)

    def test_it_has_its_name_and_members(self) -> None:
        """It has the name of its record, at least one member, and says what they are."""
        index = self.build()
        assert index.name == self.record.name, (
            f"it calls itself {index.name!r}, and its record {self.record.name!r}"
        )
        assert index.members, "it has no member"
        assert index.holds in ("listeners", "rooms", "sounds"), f"it holds {index.holds!r}"
        assert not [name for name in index.members if "/" in name], "a member's name has a slash"

    def test_its_licence_and_source_are_told(self) -> None:
        """It names a licence, a citation and where the data comes from."""
        index = self.build()
        for name in ("licence", "citation", "source"):
            assert getattr(index, name).strip(), f"it has no {name}"

    def test_every_file_can_be_checked(self) -> None:
        """Every checksum is a SHA-256, and no file with an address is without one."""
        for file in self.build().files:
            assert not file.sha256 or _SHA256.fullmatch(file.sha256), (
                f"{file.path} has the checksum {file.sha256!r}"
            )
            assert file.sha256 or not file.url, f"{file.path} has an address and no checksum"
            assert file.size >= 0, f"{file.path} has {file.size} bytes"
