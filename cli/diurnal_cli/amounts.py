"""How amounts are written for people: counts, bytes, durations, instants, shares.

The report and the live progress both call these, so that a number looks the same in both.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SECONDS_A_DAY = 86_400


def count(number: int) -> str:
    """1234567 as "1,234,567"."""
    return f"{number:,}"


def significant(value: float) -> str:
    """Three significant digits, never an exponent: "0.0123", "4.57", "23,750"."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    rounded = float(f"{value:.3g}")
    return f"{rounded:.12f}".rstrip("0").rstrip(".") or "0"


def size(octets: int) -> str:
    """Bytes in decimal units, as a bill counts them: "52.1 MB"."""
    power = 0
    while octets >= 999.5 * 1000**power and power < len(_BYTE_UNITS) - 1:
        power += 1
    return f"{significant(octets / 1000**power)} {_BYTE_UNITS[power]}"


def duration(seconds: float) -> str:
    """The two largest units that matter: "365 d", "6 h 12 min", "1 min 5 s", "0.42 s"."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 59.95:
        return f"{significant(round(seconds, 2 if seconds < 10 else 1))} s"
    days, rest = divmod(round(seconds), _SECONDS_A_DAY)
    hours, rest = divmod(rest, 3600)
    minutes, whole_seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole_seconds, "s")]
    first = next(index for index, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


def instant(microseconds: int) -> str:
    """An instant to the second, in UTC: "2026-01-01 06:12:31 UTC"."""
    return f"{moment(microseconds):%Y-%m-%d %H:%M:%S} UTC"


def moment(microseconds: int) -> datetime:
    """An instant (microseconds since 1970) as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def share(fraction: float) -> str:
    """A part of a whole in per cent: "25.9 %"."""
    return f"{100 * fraction:.1f}\N{NO-BREAK SPACE}%"
