"""A dataset is read exactly or refused with a message for people; both are asserted as text and numbers."""

import csv
import gzip
import hashlib
import io
import zlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_worker.dataset import MAX_BYTES, Dataset, DatasetError, parse_dataset

HEADER = "alpha3,name,population,internet_fraction,timezone\n"
NORWAY = "NOR,Norway,5639000,0.99,Europe/Oslo\n"


def table(*rows: str) -> bytes:
    return (HEADER + "".join(rows)).encode()


def parse(data: bytes) -> Dataset:
    return parse_dataset(data, "countries.csv")


def refusal(data: bytes) -> str:
    with pytest.raises(DatasetError) as error:
        parse_dataset(data, "countries.csv")
    message = str(error.value)
    assert message.isascii()
    assert message.isprintable(), "a message is one line of visible text, whatever the input holds"
    assert message.startswith("countries.csv: ")
    return message.removeprefix("countries.csv: ")


def norway(**cells: str) -> str:
    """One row with some cells replaced, quoted as a CSV writer does."""
    row = {"alpha3": "NOR", "name": "Norway", "population": "5639000"}
    row |= {"internet_fraction": "0.99", "timezone": "Europe/Oslo", **cells}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row.values())
    return text.getvalue()


def test_numbers_are_kept_exactly_as_written() -> None:
    (country,) = parse(table(norway(internet_fraction="0.1"))).countries
    assert (country.alpha3, country.name, country.population) == ("NOR", "Norway", 5639000)
    assert country.internet_fraction == Fraction(1, 10)
    assert country.internet_users == 563900
    assert country.zones == (("Europe/Oslo", Fraction(1)),)


def test_shares_of_six_digits_are_normalised_to_exactly_one() -> None:
    (country,) = parse(table(norway(timezone="Europe/Paris:0.333333;Europe/Oslo:0.666666"))).countries
    assert country.zones == (("Europe/Oslo", Fraction(2, 3)), ("Europe/Paris", Fraction(1, 3)))
    assert sum(share for _, share in country.zones) == 1


def test_the_order_of_rows_columns_and_zones_changes_nothing() -> None:
    one = table(norway(timezone="Europe/Oslo:0.5;Asia/Tokyo:0.5"), "AAA,Home,1,1,Etc/UTC\n")
    other = (
        b"timezone,alpha3,internet_fraction,population,name\n"
        b"Etc/UTC,AAA,1,1,Home\nAsia/Tokyo:0.5;Europe/Oslo:0.5,NOR,0.99,5639000,Norway\n"
    )
    assert parse(one).countries == parse(other).countries
    assert [country.alpha3 for country in parse(one).countries] == ["AAA", "NOR"]


def test_the_name_may_be_left_out_and_is_the_code_then() -> None:
    data = b"alpha3,population,internet_fraction,timezone\nNOR,5639000,0.99,Europe/Oslo\n"
    assert parse(data).countries[0].name == "NOR"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_of_all_systems_are_read(ending: str) -> None:
    assert len(parse((HEADER + NORWAY).replace("\n", ending).encode()).countries) == 1


def test_blank_lines_are_skipped_and_counted() -> None:
    assert "line 4," in refusal(table("\n", NORWAY, norway(population="x")).replace(b"\n\n", b"\n\n"))


def test_a_utf8_byte_order_mark_is_dropped() -> None:
    assert parse(b"\xef\xbb\xbf" + table(NORWAY)).countries == parse(table(NORWAY)).countries


def test_gzip_is_read_and_the_digest_is_of_the_stored_bytes() -> None:
    stored = gzip.compress(table(NORWAY))
    dataset = parse(stored)
    assert dataset.countries == parse(table(NORWAY)).countries
    assert dataset.sha256 == hashlib.sha256(stored).hexdigest()


def test_gzip_of_several_members_is_read_whole() -> None:
    assert len(parse(gzip.compress(HEADER.encode()) + gzip.compress(NORWAY.encode())).countries) == 1


def test_the_record_names_address_generation_and_digest() -> None:
    data = table(NORWAY)
    digest = hashlib.sha256(data).hexdigest()
    dataset = parse_dataset(data, "gs://worlds/a.csv", generation=7, sha256=digest.upper())
    assert (dataset.uri, dataset.generation, dataset.sha256) == ("gs://worlds/a.csv", 7, digest)


def test_another_digest_than_the_pinned_one_is_refused_with_both() -> None:
    data = table(NORWAY)
    with pytest.raises(DatasetError) as error:
        parse_dataset(data, "countries.csv", sha256="0" * 64)
    assert error.value.reason == "Sha256Mismatch"
    assert hashlib.sha256(data).hexdigest() in str(error.value)
    assert f"'{'0' * 64}' is asked for" in str(error.value)


# The file as a whole.


def test_utf16_is_refused_by_name() -> None:
    assert refusal(table(NORWAY).decode().encode("utf-16")) == (
        "the file is UTF-16, as Excel's 'Unicode text' is; save it as CSV in UTF-8"
    )


def test_utf16_without_a_mark_is_refused_for_its_nul() -> None:
    assert "line 1: there is a NUL character" in refusal(table(NORWAY).decode().encode("utf-16-le"))


def test_a_nul_character_is_refused_with_its_line() -> None:
    assert refusal(table(NORWAY, "\0")).startswith("line 3: there is a NUL character; ")


def test_other_encodings_are_refused_with_line_and_byte() -> None:
    assert refusal(table(norway(name="Curaçao")).decode().encode("latin-1")) == (
        "line 2: byte 0xe7 is not UTF-8; save the file as CSV in UTF-8"
    )


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\n"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert refusal(data) == (
        "the file is empty; its first line would be alpha3,population,internet_fraction,timezone"
    )


def test_a_header_alone_is_refused() -> None:
    assert refusal(table()) == "there is a header but no row below it; write one row a country"


def test_a_file_over_the_limit_is_refused() -> None:
    assert refusal(b"x" * (MAX_BYTES + 1)) == "it has 4,194,305 bytes; the limit is 4,194,304"


def test_a_gzip_bomb_is_refused_at_the_limit() -> None:
    bomb = gzip.compress(bytes(64 * MAX_BYTES))
    assert len(bomb) < MAX_BYTES
    assert refusal(bomb) == "it holds more than 4,194,304 bytes once decompressed, which is the limit"


def test_a_bomb_of_many_gzip_members_is_refused_at_the_same_limit() -> None:
    assert "once decompressed" in refusal(gzip.compress(bytes(MAX_BYTES // 4)) * 5)


def test_a_truncated_gzip_is_refused_as_such() -> None:
    assert refusal(gzip.compress(table(NORWAY))[:-4]) == (
        "the gzip data ends early, as after a broken download; fetch the file again"
    )


def test_a_damaged_gzip_is_refused_as_such() -> None:
    stored = bytearray(gzip.compress(table(NORWAY)))
    stored[-5] ^= 0xFF
    assert refusal(bytes(stored)).startswith("the gzip data is damaged (")


def test_a_file_where_nobody_lives_is_refused() -> None:
    assert "nobody would live in this world" in refusal(
        table(norway(population="0"), "PRK,North Korea,26571036,0,Asia/Pyongyang\n")
    )


# The header.


def test_a_missing_column_is_named() -> None:
    assert refusal(b"alpha3,population,internet_fraction\n") == (
        "line 1: there is no column timezone; "
        "the header would be alpha3,population,internet_fraction,timezone, with name if wanted"
    )


def test_an_unknown_column_is_refused() -> None:
    assert "line 1: column 'gdp' is unknown; the header would be" in refusal(b"alpha3,gdp\n")


def test_a_look_alike_column_is_refused_with_the_letter() -> None:
    header = HEADER.replace("alpha3", "\u0430lpha3").encode()
    assert "'\\u0430lpha3' (U+0430 CYRILLIC SMALL LETTER A) is unknown" in refusal(header)


def test_a_column_twice_is_refused() -> None:
    assert "column 'name' appears twice" in refusal(b"alpha3,name,name\n")


def test_semicolons_between_columns_are_explained() -> None:
    assert "are not separated by commas" in refusal(HEADER.replace(",", ";").encode())


# The rows.


def test_a_country_twice_is_refused_with_both_lines() -> None:
    assert refusal(table(NORWAY, "AAA,Home,1,1,Etc/UTC\n", NORWAY)).startswith(
        "line 4, column alpha3: NOR stands already in line 2; "
    )


@pytest.mark.parametrize(("row", "cells"), [("NOR,Norway,1,1\n", 4), ("NOR,Norway,1,1,Etc/UTC,\n", 6)])
def test_a_ragged_row_is_refused(row: str, cells: int) -> None:
    assert refusal(table(row)).startswith(f"line 2: {cells} cells where the header has 5 columns (")


@pytest.mark.parametrize("limit", [131_072, 10**9])
def test_a_cell_of_more_than_131072_characters_is_refused(limit: int) -> None:
    before = csv.field_size_limit(limit)
    try:
        message = refusal(table(norway(name="x" * 131_073)))
    finally:
        csv.field_size_limit(before)
    assert message == 'line 2: a cell has more than 131,072 characters; is a quote (") left open?'


def test_a_quote_left_open_is_refused() -> None:
    assert "the quotes are not right" in refusal(table('NOR,"Norway,1,1,Etc/UTC\n'))


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1e309", "1_0", "-1", "+1", "5 639", "5.5", "", "0x10", "\uff15"]
)
def test_only_plain_digits_are_a_population(text: str) -> None:
    message = refusal(table(norway(population=text)))
    assert message.startswith(f"line 2, column population: {text!a}")
    assert message.endswith(" is no whole number; write digits 0-9 alone, such as 5639000")


@pytest.mark.parametrize(
    "text", ["nan", "inf", "Infinity", "1e309", "0.9_9", "-0.5", ".5", "1.", "0,5", "1/2", ""]
)
def test_only_a_plain_decimal_is_a_fraction(text: str) -> None:
    message = refusal(table(norway(internet_fraction=text)))
    assert message.startswith(f"line 2, column internet_fraction: {text!a} is no plain decimal number; ")


def test_full_width_digits_are_named() -> None:
    message = refusal(table(norway(internet_fraction="\uff10.\uff15")))
    assert "'\\uff10.\\uff15' (U+FF10 FULLWIDTH DIGIT ZERO) is no plain decimal number" in message


def test_a_percentage_is_explained() -> None:
    assert "'95.4' is above 1; write a fraction from 0 to 1, such as 0.954 for 95.4 %" in refusal(
        table(norway(internet_fraction="95.4"))
    )


def test_more_people_than_the_limit_are_refused() -> None:
    parse(table(norway(population="100000000000")))
    assert "'100000000001' is more people than 100000000000" in refusal(
        table(norway(population="100000000001"))
    )


@pytest.mark.parametrize("text", ["NO", "NORW", "", "NO1", "N R", "=A1"])
def test_a_country_code_has_three_capital_letters(text: str) -> None:
    assert refusal(table(norway(alpha3=text))) == (
        f"line 2, column alpha3: {text!r} is no ISO 3166-1 alpha-3 code; "
        "write three capital letters A-Z, such as NOR"
    )


def test_a_country_code_in_small_letters_is_corrected() -> None:
    assert refusal(table(norway(alpha3="nor"))).endswith("'nor' is no ISO 3166-1 alpha-3 code; write NOR")


def test_a_look_alike_country_code_is_refused_with_the_letter() -> None:
    message = refusal(table(norway(alpha3="N\u041eR")))
    assert "'N\\u041eR' (U+041E CYRILLIC CAPITAL LETTER O) is no ISO 3166-1 alpha-3 code" in message


def test_a_code_that_nobody_assigned_is_refused() -> None:
    assert "'ENG' is a country code that ISO 3166-1 does not assign" in refusal(table(norway(alpha3="ENG")))


@pytest.mark.parametrize("code", ["XKX", "AAA", "QMA", "ZZZ"])
def test_codes_that_the_standard_leaves_to_users_are_taken(code: str) -> None:
    assert parse(table(norway(alpha3=code))).countries[0].alpha3 == code


def test_an_unknown_zone_is_refused_with_the_nearest_one() -> None:
    message = refusal(table(norway(timezone="Europe/Olso")))
    assert message.startswith("line 2, column timezone: 'Europe/Olso' is no IANA time zone of tzdata ")
    assert message.endswith("; did you mean Europe/Oslo?")


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "/etc/localtime", "zones", "UTC+3", "__init__.py", " Etc/UTC"]
)
def test_what_is_no_zone_name_is_never_opened_as_a_file(text: str) -> None:
    assert f"{text!r} is no IANA time zone" in refusal(table(norway(timezone=text)))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "'' is no time zone; write an IANA zone such as Europe/Oslo"),
        ("Europe/Oslo:0.5;Asia/Tokyo:0.4", "the shares sum to 0.9; they must sum to 1"),
        ("Europe/Oslo:0.5;Asia/Tokyo:0.500002", "the shares sum to 1.000002; they must sum to 1"),
        ("Europe/Oslo:0.5;Europe/Oslo:0.5", "zone Europe/Oslo appears twice in one cell"),
        ("Europe/Oslo:1;Asia/Tokyo:0", "'Asia/Tokyo:0' has the share 0"),
        ("Europe/Oslo:1;", "'' has no share; write Zone:share;Zone:share, without a ; at the end"),
        ("Europe/Oslo;Asia/Tokyo", "'Europe/Oslo' has no share"),
        ("Europe/Oslo:-1;Asia/Tokyo:2", "'-1' is no plain decimal number"),
        ("Europe/Oslo:nan", "'nan' is no plain decimal number"),
    ],
)
def test_shares_that_are_not_right_are_refused(text: str, wrong: str) -> None:
    assert f"line 2, column timezone: {wrong}" in refusal(table(norway(timezone=text)))


# Injection: names end in reports, messages in logs.


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", ' =cmd|" /C calc"!A0'])
def test_a_name_that_a_spreadsheet_would_run_is_refused(text: str) -> None:
    assert "would be run as a formula by a spreadsheet" in refusal(table(norway(name=text)))


def test_a_name_has_a_bounded_length_and_is_not_blank() -> None:
    parse(table(norway(name="x" * 100)))
    assert "is too long; a name has 100 characters at most" in refusal(table(norway(name="x" * 101)))
    assert "'  ' is no name; write one, or leave the column name out" in refusal(table(norway(name="  ")))


@pytest.mark.parametrize(
    ("letter", "called"),
    [("\n", "U+000A"), ("\x1b", "U+001B"), ("\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"), ("\u2028", "U+2028")],
)
@pytest.mark.parametrize("column", ["alpha3", "name", "population", "internet_fraction", "timezone"])
def test_invisible_characters_are_refused_in_every_column(column: str, letter: str, called: str) -> None:
    message = refusal(table(norway(**{column: f"a{letter}level=INFO forged"})))
    assert f"contains {called}" in message


def test_a_long_cell_is_cut_in_the_message() -> None:
    message = refusal(table(norway(population="9" * 100_000)))
    assert "... (100,000 characters) is no whole number" in message
    assert len(message) < 300


def test_a_strange_address_is_quoted_in_the_message() -> None:
    with pytest.raises(DatasetError, match=r"^'a\\n\.csv': the file is empty"):
        parse_dataset(b"", "a\n.csv")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_for_people(data: bytes) -> None:
    refusal(data)


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), min_size=5, max_size=5))
def test_arbitrary_rows_never_raise_anything_else(cells: list[str]) -> None:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    refusal(table(text.getvalue()))


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(0, 90))
def test_damage_to_a_gzip_never_raises_anything_else(noise: bytes, at: int) -> None:
    stored = bytearray(zlib.compress(table(NORWAY), wbits=31))
    stored[at : at + len(noise)] = noise
    try:
        parse(bytes(stored))
    except DatasetError as error:
        assert str(error).isprintable()
