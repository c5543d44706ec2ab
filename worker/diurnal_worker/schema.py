"""The contract with whoever reads the topic: the Avro schema of the AppStore event.

The same schema serves both encodings, as Pub/Sub has it: JSON messages are Avro's JSON encoding of the
record, binary messages are the record alone, without a header
(https://cloud.google.com/pubsub/docs/schemas). Attach it to a topic, and the service refuses what does
not fit. The file beside this module is what to attach.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

AVRO_TEXT: str = resources.files(__package__).joinpath("user_interaction.avsc").read_text(encoding="utf-8")
"""The schema as JSON text, to be attached to a topic as it is."""

AVRO: dict[str, Any] = json.loads(AVRO_TEXT)
"""The schema as an object."""

NAME = f"{AVRO['namespace']}.{AVRO['name']}"
FIELDS: tuple[str, ...] = tuple(field["name"] for field in AVRO["fields"])
"""The names of the eleven fields, in their order in the schema, which is that of the binary encoding."""


def symbols(field: str) -> tuple[str, ...]:
    """The values of an enum field, in the order whose index the binary encoding writes."""
    [kind] = [declared["type"] for declared in AVRO["fields"] if declared["name"] == field]
    return tuple(kind["symbols"])
