"""Everybody's imported events as memory-mapped arrays: read here, written by `histories_build`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from recsys.arrays import built, load
from recsys.errors import StoreUnavailable
from recsys.histories import Histories, History
from recsys.ids import IdMap

POINTER, ABOUT = "current", "about.json"


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """The arrays of one version.

    Attributes
    ----------
    user_ids, item_ids
        Outside ids; a person's position is their row in `histories`, an item's what events hold.
    """

    user_ids: IdMap
    item_ids: IdMap
    histories: Histories


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What everybody did up to a point of the record, oldest event first.

    Attributes
    ----------
    record_seq
        Events of the record up to this number are inside; the record holds what came after.
    lake_version
        The version in which the lake last got events, when this was built.
    """

    people: People
    record_seq: int
    lake_version: int

    @property
    def user_ids(self) -> IdMap:
        """Everybody, by position."""
        return self.people.user_ids

    @property
    def item_ids(self) -> IdMap:
        """Every item somebody touched, by the position that events hold."""
        return self.people.item_ids

    @property
    def histories(self) -> Histories:
        """One history a person; items are positions in `item_ids`."""
        return self.people.histories

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """The version in use, or None if none was ever built; nothing is read before it is used.

        Raises
        ------
        StoreUnavailable
            The pointer leads nowhere, or an array is damaged.
        """
        version = pointed(folder)
        while version is not None:
            try:
                return cls._read(folder / version)
            except (OSError, ValueError, KeyError) as cause:
                # A newer version may have come, and this one gone, since the pointer was read.
                newer = pointed(folder)
                if newer == version:
                    raise StoreUnavailable(
                        f"histories {version} cannot be read: {cause}; build them anew"
                    ) from cause
                version = newer
        return None

    @classmethod
    def _read(cls, folder: Path) -> Self:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        people = built(People, load(folder), "people")
        return cls(people, int(about["record_seq"]), int(about["lake_version"]))

    def of_user(self, user_id: str) -> History:
        """One person's events, items as positions in `item_ids`; empty for a stranger."""
        user_idx = self.user_ids.find(user_id)
        return History.empty() if user_idx is None else self.histories.of_person(user_idx)


def pointed(folder: Path) -> str | None:
    """The name of the version in use."""
    try:
        return (folder / POINTER).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
