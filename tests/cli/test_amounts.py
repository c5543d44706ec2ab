"""Amounts as people read them."""

import pytest

from diurnal_cli import amounts


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.000012345, "0.0000123"),
        (0.5, "0.5"),
        (4.567, "4.57"),
        (99.96, "100"),
        (23_750.4, "23,750"),
        (1e9, "1,000,000,000"),
    ],
)
def test_three_digits_that_matter_and_never_an_exponent(value: float, words: str) -> None:
    assert amounts.significant(value) == words


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (52_100_000, "52.1 MB"),
        (7 * 10**18, "7,000 PB"),
    ],
)
def test_bytes_are_counted_in_decimal_units(octets: int, words: str) -> None:
    assert amounts.size(octets) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.42, "0.42 s"),
        (41.3, "41.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (65, "1 min 5 s"),
        (3_600, "1 h"),
        (22_320, "6 h 12 min"),
        (86_400, "1 d"),
        (365 * 86_400, "365 d"),
        (-65, "-1 min 5 s"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert amounts.duration(seconds) == words


def test_an_instant_is_told_in_utc_to_the_second() -> None:
    assert amounts.instant(1_767_247_951_004_211) == "2026-01-01 06:12:31 UTC"


def test_per_cent_do_not_part_from_their_number() -> None:
    assert amounts.share(0.2594) == "25.9\N{NO-BREAK SPACE}%"
