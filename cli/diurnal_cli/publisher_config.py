"""The publisher_config.json of the Python publisher that came before, read and checked.

Only reading: what its numbers mean here is importing.py's business. A field of the wrong type is refused by
its name; a field that is not known is kept as such, so that the import can say what it did not translate.
Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from diurnal_cli import strict_json
from diurnal_worker.quoting import code_point, quoted, unprintable

Number = int | Decimal


class ConfigError(ValueError):
    """The configuration cannot be translated; the text names the field and what would be right."""


@dataclass(frozen=True, slots=True)
class PublisherConfig:
    """A configuration; None where an optional field is not given.

    `people` is population x internet fraction by alpha-3 code; `hours` is the local time relative to
    UTC+3:30. `unknown` are the dotted names of fields that nothing here reads.
    """

    publisher_id: str | None
    description: str | None
    project: str
    topic: str
    schema_path: str | None
    population_fraction: Number
    replicas: int
    interactions_per_day: Number
    events_per_second: Number
    randomness_factor: Number
    people: Mapping[str, Number]
    hours: Mapping[str, Number]
    device_types: Mapping[str, Number] | None
    event_types: Mapping[str, Number] | None
    unknown: tuple[str, ...]


def read_config(data: bytes) -> PublisherConfig:
    """Return the configuration in these bytes of JSON; raises ConfigError."""
    try:
        document = strict_json.loads(data)
    except strict_json.JsonError as error:
        raise ConfigError(str(error)) from None
    root = _Fields.of(document, "")
    simulation = root.fields("simulation_parameters")
    generation = root.fields("generation_rate", optional=True)
    countries = root.fields("country_infos")
    return PublisherConfig(
        publisher_id=root.text("publisher_id", optional=True),
        description=root.text("description", optional=True),
        project=root.text("gcp_project_id") or "",
        topic=root.text("pubsub_topic_name") or "",
        schema_path=root.text("schema_gcs_path", optional=True),
        population_fraction=simulation.number("users_population_fraction", most=1),
        replicas=simulation.whole("gke_replicas_factor", default=1, least=1, most=1024),
        interactions_per_day=simulation.number("user_interactions_per_day"),
        events_per_second=generation.number("events_per_second", default=0),
        randomness_factor=generation.number("randomness_factor", default=0),
        people=countries.numbers("distribution"),
        hours=countries.numbers("timezone", least=-24),
        device_types=_distribution(root, "device_type"),
        event_types=_distribution(root, "event_type"),
        unknown=tuple(root.unread()),
    )


def _distribution(root: "_Fields", name: str) -> Mapping[str, Number] | None:
    fields = root.fields(name, optional=True)
    return fields.numbers("distribution") if fields.given else None


class _Fields:
    """One JSON object under its dotted name, which remembers what was read of it."""

    def __init__(self, values: dict[str, Any], name: str, *, given: bool = True) -> None:
        self.values, self.name, self.given = values, name, given
        self.children: list[_Fields] = []
        self.read: set[str] = set()

    @classmethod
    def of(cls, value: object, name: str) -> "_Fields":
        if not isinstance(value, dict):
            raise ConfigError(f"{name or 'the file'} is {_kind(value)}; it must be an object, {{...}}")
        return cls(value, name)

    def path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def fields(self, key: str, *, optional: bool = False) -> "_Fields":
        value = self._take(key, optional=optional)
        child = (
            _Fields({}, self.path(key), given=False) if value is None else _Fields.of(value, self.path(key))
        )
        self.children.append(child)
        return child

    def text(self, key: str, *, optional: bool = False) -> str | None:
        value = self._take(key, optional=optional)
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{self.path(key)} is {_kind(value)}; it must be a text in quotes")
        letter = unprintable(value) if value else None
        if letter is not None:
            raise ConfigError(
                f"{self.path(key)}: {quoted(str(value))} contains {code_point(letter)}; remove it"
            )
        return value

    def number(self, key: str, *, default: int | None = None, most: int = 10**12) -> Number:
        value = self._take(key, optional=default is not None)
        return _number(default if value is None else value, self.path(key), 0, most)

    def whole(self, key: str, *, default: int, least: int, most: int) -> int:
        value = self.number(key, default=default)
        if value != int(value) or not least <= value <= most:
            raise ConfigError(
                f"{self.path(key)} is {value}; it must be a whole number from {least} to {most}"
            )
        return int(value)

    def numbers(self, key: str, *, least: int = 0) -> Mapping[str, Number]:
        table = _Fields.of(self._take(key), self.path(key))
        return {
            name: _number(value, f"{table.name}[{quoted(name)}]", least, 10**12)
            for name, value in table.values.items()
        }

    def unread(self) -> Iterator[str]:
        """Name the fields that nobody asked for, safe to show."""
        for key in self.values:
            if key not in self.read:
                yield self.path(key if key.isascii() and key.isidentifier() else quoted(key))
        for child in self.children:
            yield from child.unread()

    def _take(self, key: str, *, optional: bool = False) -> Any:
        self.read.add(key)
        if key not in self.values and not optional:
            raise ConfigError(f"{self.path(key)} is missing; the publisher's configuration always has it")
        value = self.values.get(key)
        if value is None and key in self.values:
            raise ConfigError(
                f"{self.path(key)} is null; write a value" + (", or leave it out" if optional else "")
            )
        return value


def _number(value: object, path: str, least: int, most: int) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ConfigError(f"{path} is {_kind(value)}; it must be a number without quotes")
    if not least <= value <= most:
        raise ConfigError(f"{path} is {value}; it must be from {least} to {most}")
    return value


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {quoted(value)}"
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"the number {quoted(str(value))}"
