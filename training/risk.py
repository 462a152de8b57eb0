"""What a shop thinks of its accounts: a file of `user_id,risk`, as platforms rank risk."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.errors import ConfigError
from recsys.ids import IdMap
from recsys.trust import DISTRUSTED

HEAD = ["user_id", "risk"]


def read_risk(path: Path, user_ids: IdMap) -> NDArray[np.int8] | None:
    """Shape (n_persons,). The risk of each, 0 for who is not named; None without a file.

    Raises
    ------
    ConfigError
        A line is no id and a risk.
    """
    if not path.exists():
        return None
    risk = np.zeros(len(user_ids), dtype=np.int8)
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        if next(lines, None) != HEAD:
            raise ConfigError(f"{path} has another head; allowed: {','.join(HEAD)}")
        for number, line in enumerate(lines, start=2):
            if len(line) != len(HEAD) or line[1] not in map(str, range(DISTRUSTED + 1)):
                told = ",".join(line)
                raise ConfigError(
                    f"line {number} of {path} is no risk, got {told!r:.80}; "
                    f"allowed: an id and 0 to {DISTRUSTED}"
                )
            user_idx = user_ids.find(line[0])
            if user_idx is not None:
                risk[user_idx] = int(line[1])
    return risk
