"""The old publisher's configuration becomes a valid simulation with its dataset, or is refused by field."""

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_api.spec import TrafficSimulation
from diurnal_cli import importing, offsets
from diurnal_cli.publisher_config import ConfigError
from diurnal_worker import sources, zonefiles
from diurnal_worker.dataset import Dataset, parse_dataset

CONFIG: dict[str, Any] = {
    "publisher_id": "App Store Publisher 01",
    "description": "events of an app store",
    "gcp_project_id": "my-project",
    "pubsub_topic_name": "user-interactions",
    "schema_gcs_path": "gs://bucket/schema.avsc",
    "simulation_parameters": {
        "users_population_fraction": 0.001,
        "gke_replicas_factor": 10,
        "user_interactions_per_day": 57.0,
    },
    "generation_rate": {"events_per_second": 0, "randomness_factor": 0.2},
    "country_infos": {
        "distribution": {"IND": 800_000_000.5, "USA": 300_000_000, "IRN": 70_000_000},
        "timezone": {"IND": 2.0, "USA": -7.5, "IRN": 0},
    },
    "device_type": {"distribution": {"phone": 0.8, "tablet": 0.15, "desktop": 0.05}},
    "event_type": {"distribution": {"app_open": 0.4, "search": 0.6}},
}
WORLD = sources.load("world-2025")


def config(**changes: Any) -> bytes:
    """The configuration with fields replaced by dotted name (__ for the dot); ... leaves a field out."""
    document = copy.deepcopy(CONFIG)
    for name, value in changes.items():
        *path, last = name.split("__")
        place = document
        for step in path:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return json.dumps(document).encode()


def imported(data: bytes) -> tuple[TrafficSimulation, Dataset, str]:
    """The simulation, its dataset, and the notes as one text; both files read by their real readers."""
    result = importing.translate(data, dataset_uri="out/countries.csv", world=WORLD)
    simulation = TrafficSimulation.model_validate(yaml.safe_load(result.simulation), context={"local": True})
    dataset = parse_dataset(result.dataset.encode(), "x", sha256=simulation.spec.population.countries.sha256)
    assert all(note.isascii() and note.isprintable() for note in result.notes)
    return simulation, dataset, "\n".join(result.notes)


def refusal(data: bytes) -> str:
    with pytest.raises(ConfigError) as error:
        importing.translate(data, dataset_uri="out/countries.csv", world=WORLD)
    message = str(error.value)
    assert message.isascii()
    assert message.isprintable()
    return message


# What the fields become.


def test_users_rate_and_shards_are_those_of_the_old_publishers_together() -> None:
    spec = imported(config())[0].spec
    assert spec.population.users == 1_170_000
    assert spec.traffic.rate.events_per_user_per_day == 57
    assert spec.shards == 10


def test_the_curve_is_the_old_one_and_the_total_breathes() -> None:
    traffic = imported(config())[0].spec.traffic
    assert traffic.activity.cosine is not None
    assert (traffic.activity.cosine.peak_hour, traffic.activity.cosine.floor) == (16, 0.03)
    assert traffic.total == "Diurnal"
    assert "write total: Constant for the old flat total" in imported(config())[2]


def test_project_and_topic_become_the_topics_full_name() -> None:
    sink = imported(config())[0].spec.sink
    assert sink.pubsub is not None
    assert sink.pubsub.topic == "projects/my-project/topics/user-interactions"


def test_a_topic_that_is_a_full_name_already_stays() -> None:
    sink = imported(config(pubsub_topic_name="projects/other-project/topics/events"))[0].spec.sink
    assert sink.pubsub is not None
    assert sink.pubsub.topic == "projects/other-project/topics/events"


def test_weights_are_taken_over() -> None:
    weights = imported(config())[0].spec.events.weights
    assert weights.event_types == {"app_open": 0.4, "search": 0.6}
    assert weights.device_types == {"phone": 0.8, "tablet": 0.15, "desktop": 0.05}


def test_weights_that_are_not_given_stay_at_the_default() -> None:
    spec = imported(config(event_type=..., device_type=...))[0].spec
    assert spec.events.weights.event_types["app_install"] == 0.15


def test_a_rate_of_each_replica_becomes_a_throttle_of_all_together() -> None:
    simulation, _, notes = imported(config(generation_rate__events_per_second=44.5))
    assert simulation.spec.budget.max_messages_per_second == 445
    assert "binds all shards together" in notes


def test_no_rate_keeps_the_harmless_default_and_says_so() -> None:
    simulation, _, notes = imported(config())
    assert simulation.spec.budget.max_messages_per_second == 1000
    assert "0 meant no limit; here the default of 1,000 messages a second" in notes


def test_what_has_no_counterpart_is_named() -> None:
    notes = imported(config(color="red", simulation_parameters__turbo=True))[2]
    assert "randomness_factor is not translated" in notes
    assert "schema_gcs_path is not translated" in notes
    assert "Unknown fields, not translated: color, simulation_parameters.turbo." in notes


def test_the_notes_stand_above_the_simulation() -> None:
    result = importing.translate(config(), dataset_uri="out/countries.csv", world=WORLD)
    comment = " ".join(
        line.removeprefix("#").strip() for line in result.simulation.splitlines() if line[0] == "#"
    )
    assert all(" ".join(note.split()) in comment for note in result.notes)


@pytest.mark.parametrize(
    ("publisher", "name"),
    [
        ("App Store Publisher 01", "app-store-publisher-01"),
        ("__", "imported"),
        ("x" * 39 + "--y", "x" * 39),
        ("../../etc", "etc"),
        ("Stra\u00dfe", "stra-e"),
    ],
)
def test_the_publishers_id_becomes_a_name(publisher: str, name: str) -> None:
    assert imported(config(publisher_id=publisher))[0].metadata.name == name


def test_a_publisher_without_an_id_gets_a_name() -> None:
    assert imported(config(publisher_id=...))[0].metadata.name == "imported"


# Countries and their clocks.


def test_people_are_the_old_weights_in_whole_persons() -> None:
    countries = {country.alpha3: country for country in imported(config())[1].countries}
    assert {alpha3: country.internet_users for alpha3, country in countries.items()} == {
        "IND": 800_000_001,
        "USA": 300_000_000,
        "IRN": 70_000_000,
    }
    assert countries["IND"].name == "India"


def test_offsets_count_from_the_clock_of_teheran_not_from_utc() -> None:
    zones = {country.alpha3: dict(country.zones) for country in imported(config())[1].countries}
    assert zones["IND"] == {"Asia/Kolkata": 1}
    assert zones["IRN"] == {"Asia/Tehran": 1}
    assert zones["USA"] == dict(next(c.zones for c in WORLD.countries if c.alpha3 == "USA"))


def test_a_clock_that_does_not_fit_its_country_is_kept_and_named() -> None:
    _, dataset, notes = imported(config(country_infos__timezone__IND=-3.5))
    assert dict(dataset.countries[0].zones) == {"Etc/UTC": 1}
    assert "kept as a zone that stands at that offset: IND (Etc/UTC)" in notes


def test_a_country_of_ones_own_is_kept_with_its_clock() -> None:
    changes = {"country_infos__distribution__XAA": 5, "country_infos__timezone__XAA": 2}
    country = imported(config(**changes))[1].countries[-1]
    assert (country.alpha3, country.name, country.zones) == ("XAA", "XAA", (("Asia/Kolkata", Fraction(1)),))


def test_clocks_of_countries_without_people_are_left_out_and_named() -> None:
    _, dataset, notes = imported(config(country_infos__timezone__NOR=-2.5))
    assert "NOR" not in {country.alpha3 for country in dataset.countries}
    assert "timezone of countries without people, left out: NOR." in notes


@pytest.mark.parametrize("quarters", range(-48, 57))
def test_a_fixed_zone_really_stands_at_its_offset_all_year(quarters: int) -> None:
    offset = Fraction(quarters, 4)
    name = offsets.fixed_zone(offset)
    if name is None:
        assert offset.denominator != 1
        return
    zone = zonefiles.zone(name)
    months = (datetime(2026, month, 15) for month in range(1, 13))
    assert {zone.utcoffset(moment) for moment in months} == {timedelta(hours=float(offset))}


@pytest.mark.parametrize("hours", [11, 11.5, -16, -16.5, 0.1])
def test_a_clock_that_is_nowhere_on_earth_is_refused(hours: float) -> None:
    message = refusal(config(country_infos__timezone__IND=hours))
    assert message.startswith(f"country_infos.timezone[IND] is {hours}, so its clock would be ")
    assert "as nowhere on earth; the column counts from UTC+3:30, so India's UTC+5:30 is 2.0" in message


# What is refused.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gcp_project_id": ...}, "gcp_project_id is missing; the publisher's configuration always has it"),
        ({"gcp_project_id": 5}, "gcp_project_id is the number '5'; it must be a text in quotes"),
        ({"gcp_project_id": None}, "gcp_project_id is null; write a value"),
        ({"publisher_id": None}, "publisher_id is null; write a value, or leave it out"),
        (
            {"pubsub_topic_name": "goo/gle"},
            "gcp_project_id, pubsub_topic_name: 'goo/gle' is not a topic such as projects/",
        ),
        ({"simulation_parameters": {}}, "simulation_parameters.users_population_fraction is missing"),
        ({"gcp_project_id": {}}, "gcp_project_id is an object; it must be a text in quotes"),
        ({"simulation_parameters": []}, "simulation_parameters is a list; it must be an object, {...}"),
        (
            {"simulation_parameters__user_interactions_per_day": "57"},
            "simulation_parameters.user_interactions_per_day is the text '57'; it must be a number without",
        ),
        (
            {"simulation_parameters__user_interactions_per_day": True},
            "simulation_parameters.user_interactions_per_day is true; it must be a number without quotes",
        ),
        (
            {"simulation_parameters__user_interactions_per_day": -1},
            "simulation_parameters.user_interactions_per_day is -1; it must be from 0 to ",
        ),
        (
            {"simulation_parameters__user_interactions_per_day": 0},
            "the simulation that it means is not valid: spec.traffic.rate.",
        ),
        (
            {"simulation_parameters__gke_replicas_factor": 1.5},
            "simulation_parameters.gke_replicas_factor is 1.5; it must be a whole number from 1 to 1024",
        ),
        (
            {"simulation_parameters__users_population_fraction": 2},
            "simulation_parameters.users_population_fraction is 2; it must be from 0 to 1",
        ),
        (
            {"country_infos__distribution__IND": "many"},
            "country_infos.distribution['IND'] is the text 'many'",
        ),
        (
            {"country_infos__distribution__NO": 1},
            "country_infos.distribution: 'NO' is no ISO 3166-1 alpha-3 code",
        ),
        ({"country_infos__distribution__ENG": 1}, "'ENG' is a country code that ISO 3166-1 does not assign"),
        ({"country_infos__distribution__NOR": 1}, "country_infos.timezone has no NOR, which"),
        (
            {"country_infos__distribution__IND": 10**12},
            "country_infos.distribution[IND] is 1000000000000; at most",
        ),
        ({"country_infos__distribution": {}}, "country_infos.distribution sums to 0 people"),
        (
            {"country_infos__distribution": {"IND": 0.7, "USA": 0.3}},
            "is in people, population x internet fraction",
        ),
        ({"event_type__distribution": {"fly": 1}}, "event_type.distribution: 'fly' is not one of app_open, "),
        ({"device_type__distribution": {"phone": 0}}, "device_type.distribution: all weights are 0"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(changes: dict[str, Any], message: str) -> None:
    assert message in refusal(config(**changes))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("57.0", "NaN"), "NaN is no JSON number; write a plain number"),
        (lambda text: text.replace("57.0", "-Infinity"), "-Infinity is no JSON number"),
        (lambda text: text.replace("57.0", "1e309"), "the number '1e309' is out of range"),
        (lambda text: text.replace("57.0", "1e-999999999"), "the number '1e-999999999' is out of range"),
        (lambda text: text.replace("57.0", "5" * 5000), "(5,000 characters) is out of range"),
        (lambda text: text.replace("57.0", "1_0"), "this is not JSON"),
        (lambda text: text.replace("57.0", "\uff15"), "this is not JSON"),
        (
            lambda text: text.replace('"IND": 2.0', '"IND": 2.0, "IND": 3.0'),
            "the key 'IND' appears twice in one object",
        ),
        (lambda text: text[:100], "this is not JSON"),
        (lambda text: text + "}", "line 1, column "),
        (lambda _: "", "the file is empty"),
        (lambda _: "[" * 100_000, "nested too deeply"),
        (lambda _: "null", "the file is null; it must be an object, {...}"),
        (lambda _: "[]", "the file is a list; it must be an object, {...}"),
        (lambda _: " " * (4 * 1024 * 1024) + "{}", "the file is larger than 4,194,304 bytes"),
    ],
)
def test_what_two_readers_of_json_could_understand_differently_is_refused(
    edit: Callable[[str], str], message: str
) -> None:
    assert message in refusal(edit(config().decode()).encode())


def test_utf16_nul_and_other_encodings_are_refused_by_name() -> None:
    assert "the file is UTF-16, or no text at all" in refusal(config().decode().encode("utf-16"))
    assert "the file is UTF-16, or no text at all" in refusal(config() + b"\0")
    assert refusal(b'{\n"a": "\xe7"}') == "line 2: byte 0xe7 is not UTF-8; save the file in UTF-8"


def test_a_byte_order_mark_is_dropped() -> None:
    assert imported(b"\xef\xbb\xbf" + config())[0] == imported(config())[0]


@pytest.mark.parametrize("field", ["publisher_id", "description", "gcp_project_id", "pubsub_topic_name"])
@pytest.mark.parametrize("text", ["a\nspec: {}", "a\x1b[2J", "a\u2028b", "a\u202eb", "a\x00"])
def test_no_text_can_leave_its_line(field: str, text: str) -> None:
    message = refusal(config(**{field: text}))
    assert message.startswith(f"{field}: ")
    assert "contains U+" in message


def test_unknown_field_names_cannot_forge_notes_or_yaml() -> None:
    simulation, _, notes = imported(config(**{"a\nkind: Pod\n": 1}))
    assert "not translated: 'a\\nkind: Pod\\n'." in notes
    assert simulation.kind == "TrafficSimulation"


def test_a_description_in_other_letters_stands_in_the_comment() -> None:
    result = importing.translate(config(description="# \u00e9"), dataset_uri="x.csv", world=WORLD)
    assert "# Its description: '# \\xe9'\n" in result.simulation


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=4), st.data())
def test_any_value_in_any_field_is_translated_or_refused(value: Any, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(
            [*CONFIG, *(f"{k}__{x}" for k, v in CONFIG.items() if isinstance(v, dict) for x in v)]
        )
    )
    try:
        imported(config(**{name: value}))
    except ConfigError as error:
        assert str(error).isprintable()


# The command.


def test_the_command_writes_both_files_and_prints_every_note(tmp_path: Path) -> None:
    source = tmp_path / "publisher_config.json"
    source.write_bytes(config())
    said: list[str] = []
    assert importing.run(source, tmp_path / "out", echo=said.append) == 0
    simulation = tmp_path / "out/app-store-publisher-01.yaml"
    countries = yaml.safe_load(simulation.read_text())["spec"]["population"]["countries"]
    assert sources.load(countries["uri"], sha256=countries["sha256"]).countries
    assert said[-1].endswith(f"Next: diurnal plan {simulation}")
    assert len(said) > 8


def test_the_command_keeps_files_that_exist_unless_forced(tmp_path: Path) -> None:
    source = tmp_path / "publisher_config.json"
    source.write_bytes(config())
    kept = tmp_path / "app-store-publisher-01.yaml"
    kept.write_text("mine")
    said: list[str] = []
    assert importing.run(source, tmp_path, echo=said.append) == 1
    assert (
        said[0].endswith("exists already; move it away, or overwrite it with --force"),
        kept.read_text(),
    ) == (
        True,
        "mine",
    )
    assert importing.run(source, tmp_path, force=True, echo=said.append) == 0
    assert kept.read_text() != "mine"


def test_the_command_says_what_is_wrong_and_writes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "publisher_config.json"
    source.write_bytes(config(gcp_project_id=5))
    said: list[str] = []
    assert importing.run(source, tmp_path / "out", echo=said.append) == 1
    assert said == [f"{source}: gcp_project_id is the number '5'; it must be a text in quotes"]
    assert not (tmp_path / "out").exists()


def test_the_command_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    said: list[str] = []
    assert importing.run(tmp_path / "none.json", tmp_path, echo=said.append) == 1
    assert "there is no such file; name the publisher's configuration" in said[0]


def test_the_command_says_where_it_cannot_write(tmp_path: Path) -> None:
    source = tmp_path / "publisher_config.json"
    source.write_bytes(config())
    said: list[str] = []
    assert importing.run(source, source / "out", echo=said.append) == 1
    assert said == [f"{source / 'out'}: Not a directory"]
