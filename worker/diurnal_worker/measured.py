"""Measured activity curves that come with the package; see data/SOURCES.md for where they are from.

Called where a traffic names `activity: {builtin: ...}`. A curve is 168 values, one an hour of the local
week, Monday 00:00-01:00 first, relative to the week's mean.
"""

import csv
from functools import cache
from importlib.resources import files

import diurnal_worker

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FILES = {"shanghai-week": "shanghai-week.csv"}


class UnknownActivityError(ValueError):
    """No built-in activity curve has this name."""


@cache
def measured_week(name: str = "shanghai-week") -> tuple[float, ...]:
    """Return a built-in curve: 168 values above 0 with mean 1 (to four digits), Monday 00:00-01:00 first.

    Raises UnknownActivityError.
    """
    if name not in _FILES:
        raise UnknownActivityError(f"there is no built-in activity {name!r}; there is {', '.join(_FILES)}")
    text = files(diurnal_worker).joinpath("data", _FILES[name]).read_text("utf-8")
    rows = {(row["weekday"], int(row["hour"])): row for row in csv.DictReader(text.splitlines())}
    return tuple(float(rows[day, hour]["relative_to_week_mean"]) for day in _DAYS for hour in range(24))
