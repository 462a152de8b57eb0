"""Bad lines of one import, kept with number, field, value and reason."""

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import polars as pl

from data.reading import LINE
from recsys.files import fsync_folder


@dataclass(slots=True)
class Quarantine:
    """A file that is there only if a line is bad, and whole only when it is closed.

    Parameters
    ----------
    path
        JSON lines of file, line, field, value and reason.
    file
        The name of the file the lines are of.
    """

    path: Path
    file: str
    n_lines: int = 0
    _beside: IO[bytes] | None = field(default=None)

    def add(self, bad: pl.DataFrame) -> None:
        """Keep lines of `reading.BAD_COLUMNS`."""
        if bad.height == 0:
            return
        if self._beside is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._beside = self._passing().open("wb")
        named = pl.lit(self.file).alias("file")
        bad.sort(LINE).select(
            named, pl.col(LINE).alias("line"), "field", "value", "reason"
        ).write_ndjson(self._beside)
        self.n_lines += bad.height

    def _passing(self) -> Path:
        return self.path.with_name(f".{self.path.name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Bring the file to its name; after an error what was gathered so far is dropped."""
        if self._beside is None:
            self.path.unlink(missing_ok=True)
            return
        self._beside.close()
        if error is None:
            self._passing().rename(self.path)
            fsync_folder(self.path.parent)
        else:
            self._passing().unlink()
