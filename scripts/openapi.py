"""Write docs/openapi.json anew: `python scripts/openapi.py`. A test compares it with the service."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from serving.openapi import document  # noqa: E402


def whole() -> str:
    """The description as the file holds it."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "openapi.json").write_text(whole(), encoding="utf-8")
