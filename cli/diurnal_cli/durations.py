"""Durations of simulated time as people write them: 90s, 45m, 36h, 7d, 1d12h."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_PART: Final = re.compile(r"([0-9]+(?:[.][0-9]+)?)([wdhms])")


def parse_duration(text: str) -> int:
    """Microseconds of a duration; ValueError says what would be right."""
    if not re.fullmatch(rf"(?:{_PART.pattern})+", text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is no duration: write 90s, 45m, 36h, 7d, 2w or 1d12h")
    microseconds = sum(round(float(n) * _UNITS[unit] * 1_000_000) for n, unit in _PART.findall(text))
    if not 0 < microseconds <= 200 * 366 * 86_400 * 1_000_000:
        raise ValueError(f"{text[:40]!r} is not between a microsecond and 200 years")
    return microseconds
