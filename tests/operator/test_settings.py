"""Settings from an environment, and complaints that name the variable."""

from __future__ import annotations

import pytest

from diurnal_operator.settings import Ceilings, Settings, SettingsError, allows


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_every_wait_is_a_variable() -> None:
    found = Settings.from_environment({"DIURNAL_LEASE_SECONDS": "3", "DIURNAL_LEADER_RETRY_SECONDS": "0.2"})
    assert (found.waits.lease, found.waits.leader_retry) == (3.0, 0.2)


def test_ceilings_and_allowlists() -> None:
    found = Settings.from_environment(
        {
            "DIURNAL_MAX_MESSAGES_PER_SECOND": "5e4",
            "DIURNAL_MAX_USD_PER_DAY": "20",
            "DIURNAL_MAX_SHARDS": "16",
            "DIURNAL_ALLOWED_TOPICS": "projects/acme-*/topics/*, projects/b/topics/c",
        }
    )
    assert found.ceilings == Ceilings(
        messages_per_second=5e4, usd_per_day=20.0, shards=16,
        topics=("projects/acme-*/topics/*", "projects/b/topics/c"),
    )  # fmt: skip


def test_the_addresses_of_emulators_are_those_of_googles_clients() -> None:
    found = Settings.from_environment({"PUBSUB_EMULATOR_HOST": "here:8085", "STORAGE_EMULATOR_HOST": ""})
    assert found.emulators == (("PUBSUB_EMULATOR_HOST", "here:8085"),)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as told:
        Settings.from_environment({"DIURNAL_MAX_SHARDS": "0", "DIURNAL_LEASE_SECONDS": "soon"})
    assert "DIURNAL_MAX_SHARDS: '0' is not a whole number of at least 1" in str(told.value)
    assert "DIURNAL_LEASE_SECONDS: 'soon' is not a number above 0" in str(told.value)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0"])
def test_a_wait_is_a_number_above_zero(text: str) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environment({"DIURNAL_RESYNC_SECONDS": text})


def test_no_list_allows_everything_and_a_pattern_is_case_sensitive() -> None:
    assert allows((), "anything")
    assert allows(("projects/a-*/topics/*",), "projects/a-1/topics/x")
    assert not allows(("projects/a-*/topics/*",), "projects/A-1/topics/x")


def test_a_run_is_pinned_to_what_the_worker_of_the_same_build_draws_by() -> None:
    from diurnal_worker import ENGINE
    from diurnal_worker.zonefiles import TZDATA_VERSION

    assert (Settings().engine, Settings().tzdata) == (ENGINE, TZDATA_VERSION)


def test_the_more_simulations_the_rarer_is_news_of_each_and_half_of_the_writes_is_left() -> None:
    settings = Settings()
    assert settings.among(10) == settings
    assert 1000 / settings.among(1000).waits.status == settings.status_writes_per_second / 2
