"""What the cells of a dataset mean, one reader a column.

Only plain ASCII decimal text is a number here: Python's own int() and float() also take 1_0, full-width
digits, nan, inf and 1e309, none of which anyone writes on purpose into a table of countries. Pure.
"""

import re
from fractions import Fraction

from diurnal_worker import iso3166, zonefiles
from diurnal_worker.quoting import foreign_letters, quoted

MAX_POPULATION = 10**11
SHARES_TOLERANCE = Fraction(1, 10**6)
"""How far the shares of a country's zones may be from 1, for tables rounded to six digits; then made
exact."""

MAX_NAME = 100
_FORMULA_STARTS = ("=", "+", "-", "@")
_WHOLE = re.compile(r"[0-9]{1,30}")
_DECIMAL = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")


class CellError(ValueError):
    """A cell's text is wrong; the message quotes it and says what would be right."""


def country_code(text: str) -> str:
    """Return an ISO 3166-1 alpha-3 code; codes of the standard's user ranges (XKX) are good too."""
    if not iso3166.has_shape(text):
        remedy = (
            f"write {text.upper()}"
            if iso3166.is_code(text.upper())
            else "write three capital letters A-Z, such as NOR"
        )
        raise CellError(f"{quoted(text)}{foreign_letters(text)} is no ISO 3166-1 alpha-3 code; {remedy}")
    if not iso3166.is_code(text):
        raise CellError(
            f"{quoted(text)} is a country code that ISO 3166-1 does not assign; "
            "look the alpha-3 code up, or use one of the user range XAA-XZZ for a country of your own"
        )
    return text


def name(text: str) -> str:
    """Return a country's name, which reports show; nothing that a spreadsheet would run as a formula."""
    if len(text) > MAX_NAME:
        raise CellError(f"{quoted(text)} is too long; a name has {MAX_NAME} characters at most")
    if text.lstrip().startswith(_FORMULA_STARTS):
        raise CellError(
            f"{quoted(text)} would be run as a formula by a spreadsheet; a name begins with a letter"
        )
    if not text.strip():
        raise CellError(f"{quoted(text)} is no name; write one, or leave the column name out")
    return text


def population(text: str) -> int:
    """Return a number of people, 0 to MAX_POPULATION."""
    if not _WHOLE.fullmatch(text):
        raise CellError(
            f"{quoted(text)}{foreign_letters(text)} is no whole number; "
            "write digits 0-9 alone, such as 5639000"
        )
    people = int(text)
    if people > MAX_POPULATION:
        raise CellError(f"{quoted(text)} is more people than {MAX_POPULATION}, the most that is accepted")
    return people


def fraction(text: str) -> Fraction:
    """Return the share of people who use the internet, 0 to 1, exactly as written."""
    value = _decimal(text)
    if value > 1:
        raise CellError(f"{quoted(text)} is above 1; write a fraction from 0 to 1, such as 0.954 for 95.4 %")
    return value


def zones(text: str) -> tuple[tuple[str, Fraction], ...]:
    """Return (zone, share) pairs sorted by zone; the shares are positive and sum to exactly 1."""
    if not text:
        raise CellError(
            "'' is no time zone; write an IANA zone such as Europe/Oslo, or Zone:share;Zone:share"
        )
    if ":" not in text and ";" not in text:
        return ((_zone(text), Fraction(1)),)
    shares: dict[str, Fraction] = {}
    for part in text.split(";"):
        zone, share = _zone_share(part)
        if zone in shares:
            raise CellError(f"zone {zone} appears twice in one cell; add its shares up")
        shares[zone] = share
    return _normalised(shares)


def _decimal(text: str) -> Fraction:
    if not _DECIMAL.fullmatch(text):
        raise CellError(
            f"{quoted(text)}{foreign_letters(text)} is no plain decimal number; "
            "write digits and a point, such as 0.954"
        )
    return Fraction(text)


def _zone_share(part: str) -> tuple[str, Fraction]:
    zone, colon, share = part.partition(":")
    if not colon:
        raise CellError(f"{quoted(part)} has no share; write Zone:share;Zone:share, without a ; at the end")
    _zone(zone)
    value = _decimal(share)
    if not value:
        raise CellError(f"{quoted(part)} has the share 0; leave the zone out, or give it a share above 0")
    return zone, value


def _zone(text: str) -> str:
    if text not in zonefiles.zone_names():
        raise CellError(f"{quoted(text)}{foreign_letters(text)} {zonefiles.unknown(text)}")
    return text


def _normalised(shares: dict[str, Fraction]) -> tuple[tuple[str, Fraction], ...]:
    total = sum(shares.values(), Fraction(0))
    if abs(total - 1) > SHARES_TOLERANCE:
        raise CellError(f"the shares sum to {float(total):.7g}; they must sum to 1")
    return tuple(sorted((zone, share / total) for zone, share in shares.items()))
