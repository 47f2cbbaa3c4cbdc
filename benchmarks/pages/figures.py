"""benchmarks/checks.json: what long measurements of the checks found, a part each, for docs/checks.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHECKS = Path(__file__).resolve().parents[1] / "checks.json"


def kept() -> dict[str, Any]:
    """Every part that was measured."""
    found: dict[str, Any] = json.loads(CHECKS.read_text("utf-8")) if CHECKS.is_file() else {}
    return found


def keep(part: str, figures: object) -> None:
    """Replace one part, the others stay."""
    text = json.dumps({**kept(), part: figures}, indent=1, sort_keys=True)
    CHECKS.write_text(text + "\n", "utf-8")
