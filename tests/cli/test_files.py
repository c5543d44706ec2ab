"""Reading resource files: what is refused, with the words and the line a person needs."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diurnal_cli.files import MAX_BYTES, FileError, parse_documents, read_documents

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n)] * 9)) for n in range(1, 9)
)


def only(data: bytes, json_only: bool = False) -> object:
    documents = parse_documents(data, json_only=json_only)
    assert len(documents) == 1
    return documents[0].value


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b"", "is empty", 0),
        (b" \n\n", "is empty", 0),
        (b"# nothing\n", "is empty", 0),
        (b"---\n---\n", "is empty", 0),
        (b"\xef\xbb\xbfa: 1\n", "byte order mark.*without BOM", 1),
        ("a: 1\n".encode("utf-16"), "is UTF-16: save it as UTF-8", 0),
        ("a: 1\n".encode("utf-16-be"), "NUL byte", 1),
        (b"a: 1\nb: \x00\n", "NUL byte", 2),
        (b"a: 1\nb: \xff\n", "not UTF-8: byte 0xFF", 2),
        (b"a: 1\nb: \x1b[2J\n", r"character U\+001B is not allowed", 2),
        (b"a: 1\nb: 2\na: 3\n", "the key 'a' is given twice", 3),
        (b"x: {a: 1, a: 2}\n", "the key 'a' is given twice", 1),
        (BOMB, "more than 100000 values once its aliases", 1),
        (b"a: &a [*a]\n", "nested too deeply", 1),
        (b"a: " + b"[" * 600, "nested too deeply", 0),
        (b"a: " + b"[" * 60 + b"]" * 60, "nested too deeply", 1),
        (b"a: .nan\n", "not a finite number: NaN and Infinity", 1),
        (b"a: -.Inf\n", "not a finite number", 1),
        (b"a: 1e309\n", "too large for a number", 1),
        (b"a: " + b"9" * 5000, "a number of more than 400 characters", 1),
        (b"a: 1_0\n", "a number to some YAML readers and text to others", 1),
        (b"a: 010\n", "a number to some YAML readers", 1),
        (b"a: 0x10\n", "a number to some YAML readers", 1),
        (b"NO: 5\n", "the key NO is not text but what YAML reads as bool: put it in quotes", 1),
        (b"1: 5\n", "the key 1 is not text", 1),
        (b"? [a]\n: 5\n", "a key must be text", 1),
        (b"a: &a {b: 1}\nc: {<<: *a}\n", r"merge keys \(<<\) are not read here", 2),
        (b"a: !!python/object/apply:os.system ['true']\n", "the tag .* is not read here", 1),
        (b"a: !!binary aGk=\n", "the tag .* is not read here", 1),
        (b"a: !secret x\n", "the tag '!secret' is not read here", 1),
        (b"a: [1, 2\n", "not YAML", 2),
        (b"a: b: c\n", "not YAML", 1),
        (b"a: *nobody\n", "not YAML: found undefined alias", 1),
        (b"\ta: 1\n", "not YAML", 1),
        (b'a: "\\U00110000"\n', "not YAML", 0),
    ],
)
def test_what_cannot_be_read_in_one_way_only_is_refused(data: bytes, message: str, line: int) -> None:
    with pytest.raises(FileError, match=message) as caught:
        parse_documents(data)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1e309}', "the number '1e309' is out of range"),
        (b'{"a": 1, "a": 2}', "the key 'a' appears twice"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out of range"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: 1", "not JSON"),
    ],
)
def test_json_is_read_as_strictly(data: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        parse_documents(data, json_only=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("5.5", 5.5),
        ("1e6", 1e6),
        ("1.0", 1.0),
        ("1e-3", 0.001),
        ("true", True),
        ("no", False),
        ("NO", False),
        ("~", None),
        ("", None),
        ("'NO'", "NO"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01", "2026-01-01"),
        ("12:30:00", "12:30:00"),
        ("１０", "１０"),
        ("{a: [1, x]}", {"a": [1, "x"]}),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_plain_values_are_read_as_kubernetes_reads_them(text: str, value: object) -> None:
    found = only(f"a: {text}\n".encode())
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_aliases_are_filled_in() -> None:
    assert only(b"a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_documents_are_numbered_without_the_empty_ones_and_know_their_lines() -> None:
    documents = parse_documents(b"---\na: 1\n---\n---\nb:\n  - 2\n  - c: 3\n")
    assert [(document.number, document.value) for document in documents] == [
        (1, {"a": 1}),
        (2, {"b": [2, {"c": 3}]}),
    ]
    assert documents[1].line_of(("b", 1, "c")) == 7
    assert documents[1].line_of(("b", 1, "missing")) == 7
    assert documents[1].line_of(("nowhere",)) == 5


def test_a_file_is_found_by_its_path_and_json_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert [read_documents(tmp_path / name)[0].value for name in ("a.json", "a.yaml")] == [{"a": 1}] * 2


def test_a_file_that_cannot_be_had_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no such file"):
        read_documents(tmp_path / "none.yaml")
    with pytest.raises(FileError, match="is a folder"):
        read_documents(tmp_path)
    with pytest.raises(FileError, match="cannot be read"):
        read_documents("a\x00b")


def test_a_file_over_the_limit_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    with big.open("wb") as file:
        file.truncate(MAX_BYTES * 4000)
    with pytest.raises(FileError, match="is larger than 256 KiB"):
        read_documents(big)


# PyYAML writes the text 1e5 without quotes, which YAML 1.2, kubectl and this reader read as a number.
number = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)
text = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=10)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text.filter(lambda written: not number.fullmatch(written)),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("abNys", min_size=1, max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text("abc", min_size=1), plain, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_what_others_write_is_read_back(value: dict[str, object]) -> None:
    assert only(json.dumps(value).encode(), json_only=True) == value
    assert only(yaml.safe_dump(value, allow_unicode=True).encode()) == value


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_the_only_error_is_a_file_problem(data: bytes) -> None:
    for json_only in (False, True):
        try:
            parse_documents(data, json_only=json_only)
        except FileError as problem:
            assert problem.message


@given(st.text("{}[]:,-?!&*#|>@%'\"\\ \n\tab01.~<=U", max_size=60))
@settings(max_examples=400, deadline=None)
def test_whatever_looks_like_yaml_the_only_error_is_a_file_problem(text: str) -> None:
    try:
        parse_documents(text.encode())
    except FileError as problem:
        assert problem.message
