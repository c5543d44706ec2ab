"""Time zones from the tzdata wheel alone, never from the system's files.

The version of the rules is part of what a run is: two machines that share a plan must agree on every
daylight saving change, so the rules come from the one package whose version the plan records. Names are
looked up in the wheel's own list, so a name is never used as a path before it is known.
"""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import tzdata

TZDATA_VERSION: str = tzdata.IANA_VERSION
"""The IANA release of the rules, such as "2026a"."""


class UnknownZoneError(ValueError):
    """No IANA time zone has this name."""


@cache
def zone_names() -> frozenset[str]:
    """Return every name of the wheel, links included."""
    return frozenset(files(tzdata).joinpath("zones").read_text("ascii").split())


@cache
def zone(name: str) -> ZoneInfo:
    """Return the rules of an IANA zone; the same object for the same name.

    Raises UnknownZoneError, whose text says what would be right.
    """
    if name not in zone_names():
        raise UnknownZoneError(unknown(name))
    with files(tzdata).joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def unknown(name: str) -> str:
    """Say that a name is no zone, with the nearest names there are."""
    near = get_close_matches(name[:64], sorted(zone_names()), n=1, cutoff=0.75)
    remedy = f"did you mean {near[0]}?" if near else "write a name such as Europe/Paris"
    return f"is no IANA time zone of tzdata {TZDATA_VERSION}; {remedy}"
