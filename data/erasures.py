"""Asking to be forgotten, and how far it is: what a worker needs to know of erasing."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.home import Home
from data.record import Record
from data.record_audit import Deed
from data.record_erasures import STEPS, Erasure
from recsys.errors import StoreUnavailable
from recsys.events import millis
from recsys.files import fsync_folder, make_folder

# Beside the key: who copies the one copies the other, and a record put back finds whom to forget.
NAME = "erased"
COPIES = (
    "copies of the record made before are yours to delete; "
    "if one is put back, the person is erased again at the next start or cycle"
)
SERVER = "the log and the backups of your PostgreSQL server are yours to let run out"


@dataclass(frozen=True, slots=True)
class Erasures:
    """The erasures of one home."""

    home: Home
    record: Record

    def ask(self, user_id: str, deed: Deed, *, at: datetime) -> dict[str, Any]:
        """Begin; once this returns nothing is shown, kept or brought back of the person.

        Raises
        ------
        StoreUnavailable
            It cannot be kept now that somebody asked.
        """
        ids = self.record.aliases.ids_of(user_id)
        self._remember(self.record.choices.privacy.names_of(ids).values(), millis(at))
        return self._told(self.record.erasing.ask(user_id, deed, at=at))

    def status(self, user_id: str) -> dict[str, Any] | None:
        """How far the last erasure of a person is; None if nobody asked for one."""
        newest = self.record.erasing.newest(user_id)
        return None if newest is None else self._told(newest)

    def remembered(self) -> dict[str, int]:
        """When persons were erased (ms), by their names under the key, whatever the record says."""
        if not self._path.exists():
            return {}
        lines = self._path.read_text(encoding="ascii").splitlines()
        # A line that a power cut left short names nobody.
        told = (line.split() for line in lines)
        return {said[0]: int(said[1]) for said in told if len(said) == 2 and said[1].isdigit()}

    def bury_again(self, *, at: datetime) -> int:
        """Ask anew for those whom a record that was put back does not know to be erased."""
        missing = self.remembered()
        for person in self.record.erasing.buried():
            missing.pop(person, None)
        ids = self.record.erasing.named(missing)
        for person, erased_ms in missing.items():
            self.record.erasing.ask_again(person, ids.get(person, ()), erased_ms, at)
        return len(missing)

    def clear_record(self, erasure: Erasure) -> Erasure:
        """The first step: what lists are made from."""
        if "record" in erasure.steps:
            return erasure
        self.record.erasing.clear_record(erasure.ids)
        return self.record.erasing.step_done(erasure, "record")

    @property
    def _path(self) -> Path:
        return self.home.keys / NAME

    def _remember(self, persons: Iterable[str], erased_ms: int) -> None:
        make_folder(self.home.keys)
        try:
            with self._path.open("ab") as file:
                # Behind what a power cut may have left without its end.
                lines = "".join(f"{person} {erased_ms}\n" for person in persons)
                file.write(f"\n{lines}".encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
            fsync_folder(self.home.keys)
        except OSError as cause:
            raise StoreUnavailable(f"{self._path} cannot be written now: {cause}") from cause

    def _told(self, erasure: Erasure) -> dict[str, Any]:
        done = [step for step in STEPS if step in erasure.steps]
        state = "done" if erasure.done_at else "running" if done else "asked"
        waiting = [step for step in STEPS if step not in done] if state != "done" else []
        ours = [COPIES] if self.record.is_file else [COPIES, SERVER]
        return {
            "state": state,
            "asked_at": erasure.asked_at.isoformat(),
            "done_at": erasure.done_at and erasure.done_at.isoformat(),
            "steps": done,
            "left": [*waiting, *ours],
        }
