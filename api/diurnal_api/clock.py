"""When: the simulated time of the run, and how fast it may pass."""

from typing import Final

from pydantic import Field

from diurnal_api.instants import Instant, InstantOrNow, parse_instant
from diurnal_api.model import Model, Number, Rule

EARLIEST: Final = parse_instant("1972-01-01T00:00:00Z")
LATEST: Final = parse_instant("2200-01-01T00:00:00Z")
DEFAULT_START: Final = "2026-01-01T00:00:00Z"


class Clock(Model):
    """The simulation clock: UTC, microseconds, from start (inclusive) to end (exclusive)."""

    rules = (
        Rule(
            "self.start == 'Now' || timestamp(self.start) >= timestamp('1972-01-01T00:00:00Z')",
            "start must not be before 1972-01-01T00:00:00Z",
            lambda c: c.start == "Now" or c.start >= EARLIEST,
            "start",
        ),
        Rule(
            "self.start == 'Now' || timestamp(self.start) < timestamp('2200-01-01T00:00:00Z')",
            "start must be before 2200-01-01T00:00:00Z",
            lambda c: c.start == "Now" or c.start < LATEST,
            "start",
        ),
        Rule(
            "!has(self.end) || timestamp(self.end) <= timestamp('2200-01-01T00:00:00Z')",
            "end must not be after 2200-01-01T00:00:00Z",
            lambda c: c.end is None or c.end <= LATEST,
            "end",
        ),
        Rule(
            "!has(self.end) || timestamp(self.end) > timestamp('1972-01-01T00:00:00Z')",
            "end must be after 1972-01-01T00:00:00Z",
            lambda c: c.end is None or c.end > EARLIEST,
            "end",
        ),
        Rule(
            "self.start == 'Now' || !has(self.end) || timestamp(self.start) < timestamp(self.end)",
            "end must be after start: it is exclusive, so that start = end would be an empty run",
            lambda c: c.start == "Now" or c.end is None or c.start < c.end,
            "end",
        ),
    )

    start: InstantOrNow = Field(
        default=parse_instant(DEFAULT_START),
        json_schema_extra={"default": DEFAULT_START},
        description="Simulated time of the first event: RFC 3339 in UTC, at most six digits after the "
        "second, 1972 to 2200; or Now, which is resolved once, when the run begins, and kept in the status.",
    )
    end: Instant | None = Field(
        default=None,
        description="Simulated time at which the run is complete, exclusive: RFC 3339 in UTC, up to "
        "2200-01-01T00:00:00Z. Default: it never ends.",
    )
    max_speed: Number | None = Field(
        default=None,
        ge=1e-6,
        le=1e9,
        description="Most simulated seconds a real second, 1e-6 to 1e9. With 1 and start Now it is live "
        "traffic. Default: as fast as the budget and the workers allow.",
    )

    @property
    def starts_now(self) -> bool:
        """Whether the start is the moment at which the run begins."""
        return self.start == "Now"
