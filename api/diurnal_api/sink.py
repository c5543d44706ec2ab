"""Where the events go."""

from typing import Annotated

from pydantic import Field, Strict

from diurnal_api.events import AttributeField
from diurnal_api.model import Model, Number, Rule, Shape, Text, Whole, exactly_one_of

TOPIC = Shape(
    "projects/([a-z][a-z0-9.-]{0,60}[.][a-z]{2,20}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]/topics/[a-zA-Z][a-zA-Z0-9._~%+-]{2,254}",
    "a topic such as projects/acme-prod-7/topics/user-interactions: the id of your own project (6 to 30 of "
    "a-z, 0-9 and -) in place of PROJECT_ID, then a topic id of 3 to 255 of letters, digits and -_.~+% "
    "that starts with a letter",
)


class PubSub(Model):
    """A topic of Google Cloud Pub/Sub and how messages are put into requests."""

    rules = (
        Rule(
            "!self.topic.contains('/topics/goog')",
            "a topic id must not start with goog: Google keeps such names for itself",
            lambda p: "/topics/goog" not in p.topic,
            "topic",
        ),
        Rule(
            "!has(self.attributes) || "
            "self.attributes.all(name, self.attributes.exists_one(other, other == name))",
            "attributes must name each event field only once",
            lambda p: len(set(p.attributes)) == len(p.attributes),
            "attributes",
        ),
    )

    topic: Annotated[
        Text,
        Field(
            max_length=400,
            description="Full name of the topic, projects/PROJECT_ID/topics/TOPIC_ID. It must exist, and the "
            "service account of the workers must be allowed to publish to it.",
        ),
        TOPIC,
    ]
    max_batch_messages: Whole = Field(
        default=1000,
        ge=1,
        le=1000,
        description="Most messages in one publish request, 1 to 1000 (Pub/Sub's own limit).",
    )
    max_batch_seconds: Number = Field(
        default=1.0,
        ge=0.01,
        le=60,
        description="Longest time that a message waits for its batch, in seconds, 0.01 to 60.",
    )
    attributes: Annotated[tuple[AttributeField, ...], Strict(False)] = Field(
        default=(),
        max_length=8,
        description="Event fields that are sent as message attributes too, for filters of subscriptions. "
        "They are billed.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Stdout(Model):
    """The log of the worker's pod: one line an event."""


class Discard(Model):
    """Nowhere: events are generated, counted and dropped."""


class Sink(Model):
    """Where the events go: exactly one of pubsub, stdout, discard."""

    rules = (exactly_one_of("pubsub", "stdout", "discard"),)

    pubsub: PubSub | None = Field(default=None, description="A topic of Google Cloud Pub/Sub.")
    stdout: Stdout | None = Field(
        default=None,
        description="Standard output of the workers, one line an event: for a first look, free of charge.",
    )
    discard: Discard | None = Field(
        default=None,
        description="Events are generated, counted and dropped: a free first contact in a cluster.",
    )
