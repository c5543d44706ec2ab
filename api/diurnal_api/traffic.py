"""How much the users send and when: the mean rate, the world's total, the curve of a day or week."""

from typing import Annotated, Final, Literal

from pydantic import Field, Strict

from diurnal_api.model import Model, Number, Rule, exactly_one_of

LEAST_ACTIVITY: Final = 0.000001
"""The smallest activity that counts as more than nothing; keeps every quotient of rates finite."""

Hourly = Annotated[tuple[Annotated[Number, Field(ge=0, le=1e6)], ...], Strict(False)]


class Rate(Model):
    """The mean over a nominal day, by user or for the world."""

    rules = (exactly_one_of("events_per_user_per_day", "events_per_second"),)

    events_per_user_per_day: Number | None = Field(
        default=None,
        ge=1e-9,
        le=1e6,
        description="Mean events of one user a day of simulated time, above 0 (from 1e-9) to 1e6.",
    )
    events_per_second: Number | None = Field(
        default=None,
        ge=1e-9,
        le=1e9,
        description=(
            "Mean events of all users together a second of simulated time, above 0 (from 1e-9) to 1e9."
        ),
    )


class Cosine(Model):
    """A day as a raised cosine of the local time."""

    peak_hour: Number = Field(
        default=16.0, ge=0, lt=24, description="Local time of the highest activity, in hours, 0 to below 24."
    )
    floor: Number = Field(
        default=0.03, ge=0, le=1, description="Activity in the trough as a fraction of the peak, 0 to 1."
    )


class Activity(Model):
    """How active people are by local time; only the form counts, the level comes from rate."""

    rules = (
        exactly_one_of("cosine", "hourly", "builtin"),
        Rule(
            "!has(self.hourly) || size(self.hourly) == 24 || size(self.hourly) == 168",
            "hourly must have 24 values (a day) or 168 (a week from Monday)",
            lambda a: a.hourly is None or len(a.hourly) in (24, 168),
            "hourly",
        ),
        Rule(
            f"!has(self.hourly) || self.hourly.exists(value, value >= {LEAST_ACTIVITY:f})",
            f"hourly must not be zero all the time: at least one value must be {LEAST_ACTIVITY:f} or more",
            lambda a: a.hourly is None or any(value >= LEAST_ACTIVITY for value in a.hourly),
            "hourly",
        ),
    )

    cosine: Cosine | None = Field(default=None, description="A raised cosine of the local time of day.")
    hourly: Hourly | None = Field(
        default=None,
        min_length=24,
        max_length=168,
        description="24 values (a day) or 168 (a week, Monday first), 0 to 1e6, not all 0. Value i stands at "
        "half past hour i, local time; linear between, cyclic.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    builtin: Literal["shanghai-week"] | None = Field(
        default=None, description="A measured curve that comes with the software: shanghai-week, 168 hours."
    )

    def never_rests(self) -> bool:
        """Whether every moment has some activity."""
        if self.cosine is not None:
            return self.cosine.floor >= LEAST_ACTIVITY
        return self.hourly is None or min(self.hourly) >= LEAST_ACTIVITY


class Traffic(Model):
    """What is simulated. A change begins a new epoch of the same run, from some simulated time on."""

    rules = (
        Rule(
            f"self.total != 'Constant' || ((!has(self.activity.cosine) || "
            f"self.activity.cosine.floor >= {LEAST_ACTIVITY:f}) && (!has(self.activity.hourly) || "
            f"self.activity.hourly.all(value, value >= {LEAST_ACTIVITY:f})))",
            "total Constant needs an activity that is never zero, because nobody could send at its mean rate "
            f"then: cosine.floor and every hourly value must be {LEAST_ACTIVITY:f} or more",
            lambda t: t.total != "Constant" or t.activity.never_rests(),
            "activity",
        ),
    )

    rate: Rate = Field(
        default=Rate(events_per_user_per_day=57.0),
        description="The mean rate over a nominal day. Exactly one of eventsPerUserPerDay, eventsPerSecond.",
    )
    total: Literal["Diurnal", "Constant"] = Field(
        default="Diurnal",
        description="Diurnal: the total of the world breathes with its days and nights. Constant: the total "
        "stays at its mean, only the mix of countries follows the day.",
    )
    activity: Activity = Field(
        default=Activity(cosine=Cosine()),
        description="Activity by local time. Exactly one of cosine, hourly, builtin.",
    )
