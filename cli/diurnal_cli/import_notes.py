"""What a reader of the old configuration has to know about its translation, in sentences.

One note for each decision that could not be guessed, and for each field that has no counterpart. Pure;
called by importing.py, which prints the notes and writes them above the simulation.
"""

from collections.abc import Iterable, Sequence

from diurnal_cli.import_countries import Translated
from diurnal_cli.publisher_config import PublisherConfig
from diurnal_worker.dataset import shown_uri
from diurnal_worker.quoting import quoted

_LISTED = 20
_LONGEST = 80


def import_notes(
    config: PublisherConfig, countries: Sequence[Translated], users: int, dataset_uri: str
) -> tuple[str, ...]:
    """Return the notes, each one line of printable ASCII."""
    return (
        *_country_notes(countries),
        *_traffic_notes(config, users, dataset_uri),
        *_untranslated(config),
    )


def _country_notes(countries: Sequence[Translated]) -> list[str]:
    kept = [f"{c.country.alpha3} ({c.country.zones[0][0]})" for c in countries if not c.builtin_zones]
    notes = [
        (
            "country_infos.distribution is the product of population and internet fraction, which cannot be "
            "taken apart: the dataset has it, rounded to whole people, as population, with internet_fraction "
            "1."
        ),
        (
            "country_infos.timezone counts from UTC+3:30, one clock a country without daylight saving. For "
            f"{len(countries) - len(kept)} of {len(countries)} countries the clock fits the built-in world, "
            "whose zones, shares and daylight saving are used."
        ),
    ]
    if kept:
        notes.append(
            "The clocks of these countries fit none of their zones, or the countries are unknown; each was "
            f"kept as a zone that stands at that offset: {_listed(kept)}. Correct the dataset where it is "
            "a slip."
        )
    return notes


def _traffic_notes(config: PublisherConfig, users: int, dataset_uri: str) -> list[str]:
    return [
        (
            f"users is country_infos.distribution x users_population_fraction: {users:,} users in the whole "
            f"world, whom {config.replicas} shards (gke_replicas_factor) share; shards may change at any "
            "time."
        ),
        (
            "The old thinning never rejected anything, so its total was flat. Here the total breathes with "
            "the world's day, with the same mean; write total: Constant for the old flat total."
        ),
        _budget_note(config),
        (
            f"The dataset is {shown_uri(dataset_uri)} on this machine. For a cluster, copy it to Cloud "
            "Storage and write its gs:// address as uri; sha256 stays as it is."
        ),
        "clock.start is not in the old configuration (it was in the code); it stays at the default.",
    ]


def _budget_note(config: PublisherConfig) -> str:
    if config.events_per_second:
        return (
            f"maxMessagesPerSecond is generation_rate.events_per_second ({config.events_per_second}) x "
            f"gke_replicas_factor ({config.replicas}), because it now binds all shards together."
        )
    return (
        "generation_rate.events_per_second 0 meant no limit; here the default of 1,000 messages a second "
        "(about one US dollar a day) holds until maxMessagesPerSecond says otherwise, Unlimited included."
    )


def _untranslated(config: PublisherConfig) -> list[str]:
    surplus = sorted(set(config.hours) - set(config.people))
    notes = {
        "generation_rate.randomness_factor is not translated: a Poisson process has its own variation.": bool(
            config.randomness_factor
        ),
        "schema_gcs_path is not translated: the schema of the events is built in.": config.schema_path
        is not None,
        f"country_infos.timezone of countries without people, left out: {_listed(surplus)}.": bool(surplus),
        f"Unknown fields, not translated: {_listed(config.unknown)}.": bool(config.unknown),
    }
    return [note for note, holds in notes.items() if holds]


def _listed(names: Iterable[str]) -> str:
    shown = [name if _is_plain(name) else quoted(name) for name in names]
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and len(name) <= _LONGEST
