"""Where a shop's things lie: the one file that knows the layout of a home folder."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Home:
    """One shop's folder.

    Parameters
    ----------
    root
        The folder; made on first use.
    """

    root: Path

    @property
    def config_path(self) -> Path:
        """Settings an operator writes."""
        return self.root / "dapei.toml"

    @property
    def record_path(self) -> Path:
        """The durable truth, unless dapei.toml says that a server keeps it."""
        return self.root / "record.db"

    @property
    def has_record(self) -> bool:
        """Whether there is a record already, as far as the home can tell."""
        return self.record_path.exists() or "record" in self.config()

    @property
    def risk_path(self) -> Path:
        """What the shop thinks of accounts, if it says so: lines of `user_id,risk`, 0 to 4."""
        return self.root / "risk.csv"

    @property
    def lake(self) -> Path:
        """Parquet that jobs read."""
        return self.root / "lake"

    @property
    def histories(self) -> Path:
        """Everybody's events as memory-mapped arrays."""
        return self.root / "histories"

    @property
    def bundles(self) -> Path:
        """Trained bundles and the pointer to the one in use."""
        return self.root / "bundles"

    @property
    def keys(self) -> Path:
        """Signing keys."""
        return self.root / "keys"

    @property
    def quarantine(self) -> Path:
        """Bad lines of imports, one file an import."""
        return self.root / "quarantine"

    def config(self) -> dict[str, Any]:
        """What `dapei.toml` says; empty where there is none.

        Raises
        ------
        ConfigError
            The file is no TOML.
        """
        if not self.config_path.exists():
            return {}
        try:
            return tomllib.loads(self.config_path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
            raise ConfigError(f"{self.config_path} is no valid TOML: {cause}") from cause
