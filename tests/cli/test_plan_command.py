"""``diurnal plan`` as people and machines meet it: tables, keys, exit codes, messages."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from diurnal_cli.main import app
from diurnal_cli.planning import run

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "examples").glob("*.yaml"))
TOPIC = "projects/acme-prod-7/topics/user-interactions"
TABLE = "alpha3,population,internet_fraction,timezone\nGBR,1000,1,UTC\n"
EVERYONE = 5_400_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """100 events in every second of a flat day in one country, under 1,000 messages a second."""
    (tmp_path / "here.csv").write_text(TABLE)
    spec = {
        "population": {"countries": {"uri": str(tmp_path / "here.csv")}, "users": 1000},
        "traffic": {"rate": {"eventsPerSecond": 100}, "activity": {"hourly": [1] * 24}},
        "sink": {"pubsub": {"topic": TOPIC}},
    }
    path = tmp_path / "flat.yaml"
    header = {"apiVersion": "diurnal.dev/v1alpha1", "kind": "TrafficSimulation", "metadata": {"name": "flat"}}
    path.write_text(yaml.safe_dump({**header, "spec": spec}))
    return path


def planned(capsys: pytest.CaptureFixture[str], file: Path, *settings: str, length: str | None = None) -> Any:
    assert run(str(file), settings, length, "json") == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], file: Path, *settings: str, length: str | None = None) -> str:
    assert run(str(file), settings, length, "table") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


def test_the_numbers_of_a_flat_day_are_those_by_hand(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    found = planned(capsys, file, length="2d")
    assert found["population"]["users"] == 1000
    assert found["population"]["countries"] == 1
    assert found["rate"]["meanEventsPerSimulatedSecond"] == pytest.approx(100)
    assert found["rate"]["highestAt"] is None
    assert found["events"] == {
        "perSimulatedDay": pytest.approx(8_640_000),
        "toTheEnd": pytest.approx(17_280_000),
    }
    assert found["clock"] == {
        "start": "2026-01-01T00:00:00.000000Z",
        "end": "2026-01-03T00:00:00.000000Z",
        "endsAt": "2026-01-03T00:00:00.000000Z",
        "endsBy": "end",
        "simulatedSeconds": 172_800,
        "realSeconds": pytest.approx(17_280),
        "meanSpeed": pytest.approx(10),
        "maxSpeed": None,
    }
    assert found["warnings"] == []


def test_the_cost_is_bytes_times_price(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    cost = planned(capsys, file, "budget.usdPerTiB='50'", length="2d")["cost"]
    billed = cost["meanBilledBytesPerMessage"]
    assert 380 < billed < 464
    assert cost["meanBodyAndAttributesBytes"] == pytest.approx(billed - 40)
    assert cost["billedBytesToTheEnd"] == pytest.approx(17_280_000 * billed, abs=1)
    assert float(cost["publishing"]["usdToTheEnd"]) == pytest.approx(
        17_280_000 * billed * 50 / 2**40, abs=2e-6
    )
    assert float(cost["publishing"]["usdPerRealDay"]) == pytest.approx(
        86_400_000 * billed * 50 / 2**40, abs=2e-6
    )
    assert cost["deliveryToOneSubscription"] == cost["publishing"]
    assert cost["sinkIsCharged"] is True


def test_keys_stay_because_programs_read_them(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    found = planned(capsys, file)
    assert {key: list(value) if isinstance(value, dict) else None for key, value in found.items()} == {
        "simulation": None,
        "engine": None,
        "tzdata": None,
        "population": ["users", "countries", "countriesInDataset", "dataset", "datasetSha256"],
        "clock": [
            *("start", "end", "endsAt", "endsBy", "simulatedSeconds", "realSeconds", "meanSpeed", "maxSpeed"),
        ],
        "rate": [
            *("meanEventsPerSimulatedSecond", "highestEventsPerSimulatedSecond", "highestAt"),
            *("lowestEventsPerSimulatedSecond", "lowestAt"),
        ],
        "events": ["perSimulatedDay", "toTheEnd"],
        "budget": [
            *(
                "messagesPerRealSecond",
                "messagesPerRealSecondBy",
                "meanMessagesPerRealSecond",
                "messagesOfTheRun",
            ),
        ],
        "cost": [
            *("sinkIsCharged", "usdPerTiB", "meanBodyAndAttributesBytes", "meanBilledBytesPerMessage"),
            *("meanMessagesPerRequest", "billedBytesToTheEnd", "publishing", "deliveryToOneSubscription"),
        ],
        "shards": None,
        "hours": None,
        "warnings": None,
    }
    assert list(found["cost"]["publishing"]) == ["usdPerRealDay", "usdPerSimulatedDay", "usdToTheEnd"]
    assert list(found["hours"][0]) == [
        "start",
        "events",
        "eventsPerSimulatedSecond",
        "speed",
        "realSeconds",
        "binds",
    ]
    assert list(found["shards"][0]) == [
        *(
            "shard",
            "firstSlot",
            "lastSlot",
            "users",
            "meanEventsPerSimulatedSecond",
            "meanMessagesPerRealSecond",
        ),
    ]


def test_yaml_says_the_same_as_json(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    found = planned(capsys, file, length="1d")
    assert run(str(file), (), "1d", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out) == found


def test_without_an_end_there_are_no_totals(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    found = planned(capsys, file)
    assert found["clock"]["endsAt"] is found["events"]["toTheEnd"] is None
    assert found["cost"]["publishing"]["usdToTheEnd"] is None
    assert len(found["hours"]) == 24


def test_the_earlier_of_for_and_end_holds(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    end = "clock.end='2026-01-01T12:00:00Z'"
    assert planned(capsys, file, end, length="1d")["clock"]["endsAt"] == "2026-01-01T12:00:00.000000Z"
    assert planned(capsys, file, end, length="6h")["clock"]["endsAt"] == "2026-01-01T06:00:00.000000Z"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_fits_eighty_columns(capsys: pytest.CaptureFixture[str], example: Path) -> None:
    assert run(str(example), (), None, "table") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in out
    assert "Real time" in out


@pytest.mark.parametrize(
    "settings",
    [
        (f"population.users={EVERYONE}", "shards=1024", "budget.maxMessagesPerSecond=1"),
        (
            f"population.users={EVERYONE}",
            "traffic.activity={builtin: shanghai-week}",
            "clock.maxSpeed=0.00028",
        ),
        ("traffic.rate={eventsPerUserPerDay: 1.0e-9}", "population.users=1", "clock.maxSpeed=1000000000"),
        ("budget.maxMessagesPerSecond=Unlimited", "traffic.rate={eventsPerSecond: 1000000000}"),
    ],
)
def test_extremes_fit_eighty_columns_too(
    capsys: pytest.CaptureFixture[str], settings: tuple[str, ...]
) -> None:
    assert run(str(EXAMPLES[0]), settings, None, "table") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in out


def test_a_week_is_shown_by_days_and_told_by_hours(capsys: pytest.CaptureFixture[str]) -> None:
    week = "traffic.activity={builtin: shanghai-week}"
    assert len(planned(capsys, EXAMPLES[0], week)["hours"]) == 168
    assert run(str(EXAMPLES[0]), (week,), None, "table") == 0
    assert sum("maxMessagesPerSecond" in line for line in capsys.readouterr().out.splitlines()) == 8


def test_a_year_of_everyone_takes_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    users = f"population.users={EVERYONE}"
    found = planned(capsys, EXAMPLES[0], users, "budget.maxMessages=100000000000000", length="365d")
    assert found["clock"]["endsBy"] == "maxMessages"
    assert time.process_time() - began < 10


def test_a_warning_names_the_resulting_speed(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert run(str(file), ("budget.maxMessagesPerSecond=15",), None, "table") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "simulated time runs at 0.15x real time" in text


def test_an_unknown_field_is_refused_with_its_name(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert "spec.budget.maxMessages" in refusal(capsys, file, "budget.maxMessagesPerHour=5")


def test_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "nowhere.yaml" in refusal(capsys, tmp_path / "nowhere.yaml")


def test_a_missing_dataset_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    setting = "population.countries={uri: nowhere.csv}"
    assert "nowhere.csv: there is no such file" in refusal(capsys, file, setting)


def test_another_sha256_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert "sha256" in refusal(capsys, file, f"population.countries.sha256={'a' * 64}").lower()


def test_a_config_map_is_refused_with_what_to_do(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    setting = "population.countries={configMap: {name: a, key: b}}"
    assert "needs a cluster: use --set population.countries='{uri: FILE}'" in refusal(capsys, file, setting)


def test_a_bad_duration_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert "--for 'soon' is no duration: write 90s" in refusal(capsys, file, length="soon")


def test_a_live_run_whose_end_is_past_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    settings = ("clock.start=Now", "clock.end='2001-01-01T00:00:00Z'")
    assert "the run would be empty" in refusal(capsys, file, *settings)


def test_a_budget_that_pays_for_no_message_is_refused(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    settings = ("budget.maxUSD='0.000001'", "budget.usdPerTiB='900000000'")
    assert "budget.maxUSD pays for no message at all" in refusal(capsys, file, *settings)


def test_a_field_that_cannot_be_an_attribute_is_refused(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    # Only fields that the contract lists get this far; those of it that the encoder cannot repeat stop here.
    err = refusal(capsys, file, "sink.pubsub.attributes=[event_details]")
    assert "event_details" in err
    assert "attributes" in err


def test_the_command_passes_its_options_on(file: Path) -> None:
    arguments = ["plan", str(file), "--set", "shards=2", "--for", "1d", "--output", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert [share["firstSlot"] for share in json.loads(result.stdout)["shards"]] == [0, 512]
