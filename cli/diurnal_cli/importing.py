"""`diurnal import publisher_config.json`: the old publisher's configuration as a simulation and a dataset.

Nothing is translated in silence: every decision that a reader of the old file could not guess is a note,
printed and written above the simulation. translate() is pure; run() reads, writes and prints.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml
from pydantic import ValidationError

from diurnal_api.events import DEVICE_TYPE_WEIGHTS, EVENT_TYPE_WEIGHTS
from diurnal_api.population import MAX_USERS
from diurnal_api.sink import TOPIC
from diurnal_api.spec import API_VERSION, KIND, MAX_NAME, TrafficSimulation
from diurnal_cli.import_countries import dataset_text, translate_countries
from diurnal_cli.import_notes import import_notes
from diurnal_cli.publisher_config import ConfigError, Number, PublisherConfig, read_config
from diurnal_cli.strict_json import MAX_BYTES
from diurnal_worker import sources
from diurnal_worker.dataset import Dataset, DatasetError, parse_dataset, shown_uri
from diurnal_worker.quoting import quoted

_BUILTIN_WORLD = "world-2025"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a configuration became: two files' texts, the simulation's name, and what to know about them."""

    name: str
    simulation: str
    dataset: str
    notes: tuple[str, ...]


def run(config: Path, into: Path, *, force: bool = False, echo: Callable[[str], None] = print) -> int:
    """Translate one file into `into`/NAME.yaml and NAME-countries.csv; return 0, or 1 where it cannot be.

    Existing files are kept unless `force`. Every message goes to `echo`.
    """
    try:
        data = _read(config)
        name = simulation_name(read_config(data).publisher_id)
        simulation, dataset = into / f"{name}.yaml", into / f"{name}-countries.csv"
        imported = translate(data, dataset_uri=str(dataset), world=sources.load(_BUILTIN_WORLD))
        _write({simulation: imported.simulation, dataset: imported.dataset}, force=force)
    except (ConfigError, DatasetError) as error:
        echo(f"{shown_uri(str(config))}: {error}")
        return 1
    except OSError as error:
        echo(f"{shown_uri(str(error.filename))}: {error.strerror}")
        return 1
    for note in imported.notes:
        echo(f"- {note}")
    echo(f"Wrote {simulation} and {dataset}. Next: diurnal plan {simulation}")
    return 0


def translate(data: bytes, *, dataset_uri: str, world: Dataset) -> Imported:
    """Return what the configuration in `data` (JSON) means here.

    `dataset_uri` is where the simulation will find the dataset; `world` is the built-in one, whose names
    and time zones of the countries are taken over. Raises ConfigError,
    or DatasetError where the countries are no dataset.
    """
    config = read_config(data)
    name, users = simulation_name(config.publisher_id), _users(config)
    countries = translate_countries(config, {country.alpha3: country for country in world.countries})
    dataset = dataset_text(each.country for each in countries)
    digest = parse_dataset(dataset.encode(), dataset_uri).sha256
    document = _document(config, name, users, {"uri": dataset_uri, "sha256": digest})
    notes = import_notes(config, countries, users, dataset_uri)
    return Imported(name, _yaml(document, config.description, notes), dataset, notes)


def simulation_name(publisher_id: str | None) -> str:
    """Return a Kubernetes name made of the old publisher's id: a-z, 0-9 and -, at most MAX_NAME."""
    slug = re.sub("[^a-z0-9]+", "-", (publisher_id or "").lower())[:MAX_NAME].strip("-")
    return slug or "imported"


def _document(config: PublisherConfig, name: str, users: int, countries: dict[str, str]) -> dict[str, Any]:
    """Return the simulation as data, checked against the contract."""
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {
            "shards": config.replicas,
            "population": {"countries": countries, "users": users},
            "traffic": {
                "rate": {"eventsPerUserPerDay": float(config.interactions_per_day)},
                "total": "Diurnal",
                "activity": {"cosine": {"peakHour": 16, "floor": 0.03}},
            },
            **_budget(config),
            **_events(config),
            "sink": {"pubsub": {"topic": _topic(config)}},
        },
    }
    try:
        TrafficSimulation.model_validate(document, context={"local": True})
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise ConfigError(f"the simulation that it means is not valid: {'; '.join(problems)}") from None
    return document


def _users(config: PublisherConfig) -> int:
    everyone = sum(map(Fraction, config.people.values()), Fraction(0))
    users = round(everyone * Fraction(config.population_fraction))
    if not 1 <= users <= MAX_USERS:
        raise ConfigError(
            f"country_infos.distribution sums to {float(everyone):.6g} people, of whom "
            f"simulation_parameters.users_population_fraction {config.population_fraction} makes {users:,} "
            f"users; there must be 1 to {MAX_USERS:,} (the distribution is in people, "
            "population x internet fraction, not in shares)"
        )
    return users


def _budget(config: PublisherConfig) -> dict[str, Any]:
    if not config.events_per_second:
        return {}
    return {"budget": {"maxMessagesPerSecond": max(1, int(config.events_per_second * config.replicas))}}


def _events(config: PublisherConfig) -> dict[str, Any]:
    weights = {
        "eventTypes": _weights(config.event_types, EVENT_TYPE_WEIGHTS, "event_type"),
        "deviceTypes": _weights(config.device_types, DEVICE_TYPE_WEIGHTS, "device_type"),
    }
    given = {key: value for key, value in weights.items() if value is not None}
    return {"events": {"weights": given}} if given else {}


def _weights(given: Mapping[str, Number] | None, known: Iterable[str], field: str) -> dict[str, float] | None:
    if given is None:
        return None
    for name in given:
        if name not in known:
            raise ConfigError(f"{field}.distribution: {quoted(name)} is not one of {', '.join(known)}")
    if not any(given.values()):
        raise ConfigError(f"{field}.distribution: all weights are 0; at least one must be above 0")
    return {name: float(weight) for name, weight in given.items()}


def _topic(config: PublisherConfig) -> str:
    topic = config.topic if "/" in config.topic else f"projects/{config.project}/topics/{config.topic}"
    if re.fullmatch(TOPIC.pattern, topic) is None:
        raise ConfigError(f"gcp_project_id, pubsub_topic_name: {quoted(topic)} is not {TOPIC.expected}")
    return topic


def _yaml(document: dict[str, Any], description: str | None, notes: Iterable[str]) -> str:
    """Return the simulation as YAML with the notes above it; foreign text cannot leave its comment line."""
    lines = ["Translated from a publisher_config.json by diurnal import."]
    lines += [f"Its description: {quoted(description)}"] if description else []
    for note in notes:
        lines += wrap(note, 100, initial_indent="- ", subsequent_indent="  ", break_long_words=False)
    comment = "".join(f"# {line}\n" for line in lines)
    return comment + yaml.safe_dump(document, sort_keys=False, allow_unicode=False)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ConfigError("there is no such file; name the publisher's configuration, publisher_config.json")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _write(texts: Mapping[Path, str], *, force: bool) -> None:
    taken = [str(path) for path in texts if path.exists()]
    if taken and not force:
        raise ConfigError(f"{' and '.join(taken)} exists already; move it away, or overwrite it with --force")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
