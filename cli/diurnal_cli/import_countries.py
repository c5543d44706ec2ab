"""The countries of the old configuration as a dataset: people, names and clocks.

The old file has one number of people a country and one clock; the built-in world lends names and, where it
agrees with the clock, time zones. Pure; called by importing.py.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from diurnal_cli.offsets import REFERENCE, clocks
from diurnal_cli.publisher_config import ConfigError, Number, PublisherConfig
from diurnal_worker.cells import MAX_POPULATION, CellError, country_code
from diurnal_worker.dataset import Country


@dataclass(frozen=True, slots=True)
class Translated:
    """One country, and whether its zones are the built-in world's (else its offset was kept)."""

    country: Country
    builtin_zones: bool


def translate_countries(config: PublisherConfig, world: Mapping[str, Country]) -> list[Translated]:
    """Return the countries of `country_infos`, by alpha3; `world` is the built-in one. Raises ConfigError."""
    return [_country(alpha3, people, config, world) for alpha3, people in sorted(config.people.items())]


def _country(
    alpha3: str, people: Number, config: PublisherConfig, world: Mapping[str, Country]
) -> Translated:
    try:
        country_code(alpha3)
    except CellError as error:
        raise ConfigError(f"country_infos.distribution: {error}") from None
    if people > MAX_POPULATION:
        raise ConfigError(
            f"country_infos.distribution[{alpha3}] is {people}; at most {MAX_POPULATION} people are accepted"
        )
    if alpha3 not in config.hours:
        raise ConfigError(
            f"country_infos.timezone has no {alpha3}, which country_infos.distribution has; add it"
        )
    hours = Fraction(config.hours[alpha3])
    found = clocks(alpha3, hours, world)
    if found is None:
        raise ConfigError(
            f"country_infos.timezone[{alpha3}] is {config.hours[alpha3]}, so its clock would be "
            f"{float(hours + REFERENCE):+g} hours off UTC, as nowhere on earth; "
            "the column counts from UTC+3:30, so India's UTC+5:30 is 2.0"
        )
    whole = int(Decimal(people).to_integral_value(ROUND_HALF_UP))
    name = world[alpha3].name if alpha3 in world else alpha3
    return Translated(Country(alpha3, name, whole, Fraction(1), found.zones), found.builtin)


def dataset_text(countries: Iterable[Country]) -> str:
    """Return the dataset's text in the format of users' own datasets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("alpha3", "name", "population", "internet_fraction", "timezone"))
    for country in countries:
        writer.writerow((country.alpha3, country.name, country.population, 1, _zones(country.zones)))
    return text.getvalue()


def _zones(zones: tuple[tuple[str, Fraction], ...]) -> str:
    if len(zones) == 1:
        return zones[0][0]
    return ";".join(
        f"{zone}:{Decimal(share.numerator) / Decimal(share.denominator):f}" for zone, share in zones
    )
