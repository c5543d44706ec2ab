"""Who sends: the countries, the number of simulated users, and the seed of everything that is drawn."""

from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from diurnal_api.model import SAFE_INTEGER, Model, Rule, Shape, Text, Whole, exactly_one_of

MAX_URI: Final = 1252
"""gs://, a bucket of at most 222 characters, a slash, an object of at most 1,024."""

CONFIG_MAP: Final = "configmap:"
COUNTRIES_FOLDER: Final = "/etc/diurnal/countries"
"""Where the key of a ConfigMap lies as a file in a worker's pod."""

MAX_USERS: Final = 5_400_000_000
"""Everyone who was online in 2025."""

_OBJECT = Shape(
    "gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^?#\\x00-\\x1f\\x7f]+",
    "an object of Cloud Storage, gs://BUCKET/OBJECT, without ?, # and control characters",
)


def _object_uri(value: object, info: ValidationInfo) -> str:
    """A gs:// address; with the validation context {"local": True} a path of this machine will do too."""
    if not isinstance(value, str):
        raise PydanticCustomError("shape", "{text}", {"text": f"{value!r:.80} is not {_OBJECT.expected}"})
    local = bool(info.context and info.context.get("local"))
    if local and "://" not in value and value and "\x00" not in value:
        return value
    if len(value) > MAX_URI:
        raise PydanticCustomError("shape", "{text}", {"text": f"must have at most {MAX_URI} characters"})
    return str(_OBJECT.check(value))


ObjectUri = Annotated[
    str,
    PlainValidator(_object_uri),
    WithJsonSchema({"type": "string", "maxLength": MAX_URI, "pattern": f"^{_OBJECT.pattern}$"}),
]
Sha256 = Annotated[
    Text,
    Field(max_length=64),
    Shape("[0-9a-f]{64}", "a SHA-256 digest of 64 lower-case hexadecimal digits (see sha256sum)"),
]


class ConfigMapKey(Model):
    """A key of a ConfigMap in the namespace of the simulation."""

    name: Annotated[
        Text,
        Field(max_length=253, description="Name of the ConfigMap, in the namespace of this object."),
        Shape("[a-z0-9]([-a-z0-9.]*[a-z0-9])?", "the name of a ConfigMap: a-z, 0-9, - and ."),
    ]
    key: Annotated[
        Text,
        Field(max_length=253, description="Key of the ConfigMap whose value is the CSV table."),
        Shape("[-._a-zA-Z0-9]+", "the key of a ConfigMap: letters, digits, -, _ and ."),
    ]


class Countries(Model):
    """Where the table of countries (alpha3, population, internet_fraction, timezone) comes from."""

    rules = (
        exactly_one_of("builtin", "uri", "config_map"),
        Rule(
            "has(self.uri) || !has(self.generation)",
            "generation belongs to uri: set uri as well, or leave generation out",
            lambda c: c.uri is not None or c.generation is None,
            "generation",
        ),
        Rule(
            "has(self.uri) || !has(self.sha256)",
            "sha256 belongs to uri: set uri as well, or leave sha256 out",
            lambda c: c.uri is not None or c.sha256 is None,
            "sha256",
        ),
        Rule(
            "!has(self.uri) || !self.uri.contains('..')",
            "uri must not contain '..': name the object by its full path",
            lambda c: c.uri is None or not c.uri.startswith("gs://") or ".." not in c.uri,
            "uri",
        ),
    )

    builtin: Literal["world-2025"] | None = Field(
        default=None, description="A table that comes with the software: world-2025, every country in 2025."
    )
    uri: ObjectUri | None = Field(
        default=None,
        description="A CSV table in Cloud Storage, gs://BUCKET/OBJECT, with the columns alpha3, population, "
        "internet_fraction, timezone.",
    )
    generation: Whole | None = Field(
        default=None,
        ge=1,
        le=SAFE_INTEGER,
        description="Generation of the object at uri. Default: the newest when the run begins, then kept.",
    )
    sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the bytes at uri, in hexadecimal; other bytes are refused."
    )
    config_map: ConfigMapKey | None = Field(
        default=None, description="A CSV table in a ConfigMap of the same namespace."
    )

    @property
    def address(self) -> str:
        """Where it comes from in one word: a name, gs://BUCKET/OBJECT, or configmap:NAME/KEY."""
        table = self.config_map
        return self.builtin or self.uri or (f"{CONFIG_MAP}{table.name}/{table.key}" if table else "")


class Population(Model):
    """The simulated users and what they are drawn from."""

    countries: Countries = Field(
        default=Countries(builtin="world-2025"),
        description="The table of countries. Exactly one of builtin, uri, configMap.",
    )
    users: Whole = Field(
        default=10_000,
        ge=1,
        le=MAX_USERS,
        description="Simulated users in the whole world, 1 to 5.4e9. Countries get their share by "
        "population x internet fraction.",
    )
    seed: Whole = Field(
        default=42,
        ge=0,
        le=SAFE_INTEGER,
        description="Seed of everything that is drawn. The same seed gives the same events and ids.",
    )
