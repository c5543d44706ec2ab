"""The countries of a world: who lives there, how many use the internet, and by which clocks.

A dataset is a CSV file of the users' own (or the built-in one), so every line is checked and every refusal
says where, what is wrong and what would be right. Numbers stay exact (integers and fractions of the decimal
text), because the number of users of a stratum must not depend on a float's rounding. Rows and zones are
sorted, so that their order in the file changes nothing. Pure; sources.py brings the bytes.

Format: UTF-8, comma-separated, one row a country, with the header (in any order)
`alpha3,name,population,internet_fraction,timezone`, of which `name` may be left out. `timezone` is an IANA
zone, or `Zone:share;Zone:share` with shares that sum to 1. The file may be gzip-compressed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from diurnal_worker import cells, table
from diurnal_worker.inflate import InflateError, inflate, is_gzip
from diurnal_worker.quoting import quoted

MAX_BYTES = 4 * 1024 * 1024
"""The limit of a dataset, before and after decompression; the built-in world has about 14 kB."""

MAX_SHOWN_URI = 300

REQUIRED = ("alpha3", "population", "internet_fraction", "timezone")
OPTIONAL = ("name",)


class DatasetError(Exception):
    """A dataset cannot be used, whatever is tried again; the text is for people.

    `reason` is a CamelCase word for a condition.
    """

    def __init__(self, message: str, reason: str = "InvalidDataset") -> None:
        """Keep the message for people and the reason for machines."""
        super().__init__(message)
        self.reason = reason


class DatasetUnavailableError(DatasetError):
    """The dataset could not be read now; the same request may work later."""


@dataclass(frozen=True, slots=True)
class Country:
    """One country.

    `zones` are (IANA name, share of its people), sorted by name; the shares sum to exactly 1.
    """

    alpha3: str
    name: str
    population: int
    internet_fraction: Fraction
    zones: tuple[tuple[str, Fraction], ...]

    @property
    def internet_users(self) -> Fraction:
        """People who use the internet: the country's weight in the world."""
        return self.population * self.internet_fraction


@dataclass(frozen=True, slots=True)
class Dataset:
    """Countries sorted by alpha3, and which bytes they were read from.

    `generation` is the Cloud Storage object's, None elsewhere; `sha256` is the lower-case hex digest of the
    bytes as stored (compressed, if they are).
    """

    countries: tuple[Country, ...]
    uri: str
    generation: int | None
    sha256: str


def parse_dataset(
    data: bytes, uri: str, *, generation: int | None = None, sha256: str | None = None
) -> Dataset:
    """Return the dataset in these bytes (CSV, or CSV in gzip), checked as a whole.

    `uri` is where they came from, for messages and the record; `sha256` (hex) is what their digest must be.
    Raises DatasetError, which names line, column, what is wrong and what would be right.
    """
    where = shown_uri(uri)
    digest = _digest(data, sha256, where)
    try:
        rows = table.read_table(_content(data), REQUIRED, OPTIONAL)
        countries = _countries(rows)
    except (table.TableError, cells.CellError, InflateError) as error:
        raise DatasetError(f"{where}: {error}") from None
    return Dataset(countries, uri, generation, digest)


def shown_uri(uri: str) -> str:
    """Return the address for a message: as it is where that is safe, else quoted."""
    return uri if uri.isascii() and uri.isprintable() and len(uri) <= MAX_SHOWN_URI else quoted(uri)


def _digest(data: bytes, expected: str | None, where: str) -> str:
    digest = hashlib.sha256(data).hexdigest()
    if expected is not None and expected.lower() != digest:
        raise DatasetError(
            f"{where}: its sha256 is {digest}, but sha256 {quoted(expected)} is asked for; "
            "the file is another one, or was changed: check it, then write its digest",
            "Sha256Mismatch",
        )
    return digest


def _content(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise table.TableError(f"it has {len(data):,} bytes; the limit is {MAX_BYTES:,}")
    return inflate(data, MAX_BYTES) if is_gzip(data) else data


def _countries(rows: Iterable[table.Row]) -> tuple[Country, ...]:
    """Read all rows, and check what only the whole file shows."""
    lines: dict[str, int] = {}
    countries = []
    for row in rows:
        country = _country(row)
        if country.alpha3 in lines:
            raise table.TableError(
                f"line {row.line}, column alpha3: {country.alpha3} stands already in line "
                f"{lines[country.alpha3]}; "
                "keep one row a country (several zones go into one cell, as Zone:share;Zone:share)"
            )
        lines[country.alpha3] = row.line
        countries.append(country)
    if not any(country.internet_users for country in countries):
        raise table.TableError(
            "in every row population x internet_fraction is 0, so nobody would live in this world; "
            "at least one country needs both above 0"
        )
    return tuple(sorted(countries, key=lambda country: country.alpha3))


def _country(row: table.Row) -> Country:
    alpha3 = row.read("alpha3", cells.country_code)
    return Country(
        alpha3=alpha3,
        name=row.read("name", cells.name) if "name" in row.cells else alpha3,
        population=row.read("population", cells.population),
        internet_fraction=row.read("internet_fraction", cells.fraction),
        zones=row.read("timezone", cells.zones),
    )
