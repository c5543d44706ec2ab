"""The operator's settings, from its environment. docs/operator.md has them all.

Everything that waits is a setting, so that tests scale time down; ceilings bind whatever a resource says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from tzdata import IANA_VERSION

PREFIX: Final = "DIURNAL_"
EMULATORS: Final = ("PUBSUB_EMULATOR_HOST", "STORAGE_EMULATOR_HOST")
"""What Google's clients call the addresses of emulators; no prefix, so that one name is right everywhere."""
_Value = TypeVar("_Value")


class SettingsError(ValueError):
    """A variable that cannot be; the text names each one and what would be right."""


@dataclass(frozen=True)
class Ceilings:
    """What all simulations together, or each, may never exceed. None and empty lists do not limit.

    ``topics``, ``buckets`` and ``service_accounts`` are shell patterns (``projects/acme-*/topics/*``).
    """

    messages_per_second: float | None = None
    usd_per_day: float | None = None
    usd_per_tib: float = 40.0
    shards: int = 1024
    topics: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Waits:
    """Every wait, in seconds."""

    lease: float = 15.0
    checkpoint: float = 5.0
    drain_poll: float = 1.0
    status: float = 10.0
    resync: float = 60.0
    settle: float = 0.1
    grace: float = 45.0
    unclaimed: float = 60.0
    dataset: float = 300.0
    leader_lease: float = 10.0
    leader_renew: float = 3.0
    leader_retry: float = 1.0
    request: float = 5.0
    backoff_first: float = 0.5
    backoff_longest: float = 60.0
    stalled_queue: float = 120.0
    silent_watch: float = 180.0


@dataclass(frozen=True)
class Settings:
    """All of them. ``engine`` and ``tzdata`` are those of the worker image and pinned into new plans.

    Both images are built from one lock, so the time zones here are those there; a test holds the engine.
    ``emulators`` are handed on to every worker as they are.
    """

    worker_image: str = "diurnal-worker:latest"
    engine: str = "1"
    tzdata: str = IANA_VERSION
    namespaces: tuple[str, ...] = ()
    own_namespace: str = "diurnal-system"
    identity: str = "diurnal-operator"
    health_port: int = 8080
    roll_at_once: int = 4
    writes_at_once: int = 16
    status_writes_per_second: int = 5
    emulators: tuple[tuple[str, str], ...] = ()
    country_metrics: bool = False
    ceilings: Ceilings = field(default_factory=Ceilings)
    waits: Waits = field(default_factory=Waits)

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Settings of an environment; SettingsError names every variable that is wrong."""
        reader = _Reader(environment)
        found = Settings(
            worker_image=reader("WORKER_IMAGE", str, Settings.worker_image),
            engine=reader("ENGINE", str, Settings.engine),
            tzdata=reader("TZDATA", str, Settings.tzdata),
            namespaces=reader("NAMESPACES", _words, Settings.namespaces),
            own_namespace=reader("OPERATOR_NAMESPACE", str, Settings.own_namespace),
            identity=reader("OPERATOR_IDENTITY", str, environment.get("HOSTNAME", Settings.identity)),
            health_port=reader("HEALTH_PORT", _whole, Settings.health_port),
            roll_at_once=reader("ROLL_AT_ONCE", _at_least_one, Settings.roll_at_once),
            writes_at_once=reader("WRITES_AT_ONCE", _at_least_one, Settings.writes_at_once),
            status_writes_per_second=reader(
                "STATUS_WRITES_PER_SECOND", _at_least_one, Settings.status_writes_per_second
            ),
            emulators=tuple((name, environment[name]) for name in EMULATORS if environment.get(name)),
            country_metrics=reader("COUNTRY_METRICS", _yes_or_no, Settings.country_metrics),
            ceilings=_ceilings(reader),
            waits=_waits(reader),
        )
        reader.complain()
        return found

    def among(self, simulations: int) -> Settings:
        """These settings for one of so many simulations: the more there are, the rarer is news of each."""
        rarer = 2 * simulations / self.status_writes_per_second  # half of the writes is left for changes
        return replace(self, waits=replace(self.waits, status=max(self.waits.status, rarer)))


def allows(patterns: tuple[str, ...], value: str) -> bool:
    """Whether a value is on an allowlist; no list allows everything."""
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


class _Reader:
    """Reads variables and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._wrong: list[str] = []

    def __call__(self, name: str, parse: Callable[[str], _Value], default: _Value) -> _Value:
        text = self._environment.get(PREFIX + name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._wrong.append(f"{PREFIX}{name}: {text[:60]!r} {error}")
            return default

    def complain(self) -> None:
        if self._wrong:
            raise SettingsError("; ".join(self._wrong))


def _ceilings(reader: _Reader) -> Ceilings:
    return Ceilings(
        messages_per_second=reader("MAX_MESSAGES_PER_SECOND", _optional_positive, None),
        usd_per_day=reader("MAX_USD_PER_DAY", _optional_positive, None),
        usd_per_tib=reader("USD_PER_TIB", _positive, Ceilings.usd_per_tib),
        shards=reader("MAX_SHARDS", _at_least_one, Ceilings.shards),
        topics=reader("ALLOWED_TOPICS", _words, Ceilings.topics),
        buckets=reader("ALLOWED_BUCKETS", _words, Ceilings.buckets),
        service_accounts=reader("ALLOWED_SERVICE_ACCOUNTS", _words, Ceilings.service_accounts),
    )


def _waits(reader: _Reader) -> Waits:
    read: dict[str, Any] = {
        name: reader(f"{name.upper()}_SECONDS", _positive, default) for name, default in vars(Waits()).items()
    }
    return Waits(**read)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise ValueError("is not a number above 0")
    return value


def _optional_positive(text: str) -> float | None:
    return _positive(text)


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("is not a whole number")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("is not 0 or 1")
    return text == "1"


def _at_least_one(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise ValueError("is not a whole number of at least 1")
    return value
