"""YAML read strictly: what could mean two things to two readers is refused, with its line.

The API server's YAML reader, PyYAML and people disagree on duplicate keys, on ``NO``, on ``1_0`` and ``010``,
and an alias bomb expands for ever. So the nodes of PyYAML's composer are turned into plain data here: text,
whole numbers, numbers, true, false, null, lists, and mappings with text keys. Times stay text, as they do in
Kubernetes.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

Path = tuple[str | int, ...]

MAX_VALUES: Final = 100_000
MAX_DEPTH: Final = 50
MAX_DIGITS: Final = 400

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE|yes|Yes|YES|on|On|ON")
_FALSE = re.compile(r"false|False|FALSE|no|No|NO|off|Off|OFF")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?[.](inf|Inf|INF)|[.](nan|NaN|NAN)")
_DOUBTFUL = re.compile(
    r"[-+]?(0[0-9_]+|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*_[0-9_]*([.][0-9_]*)?)"
)
_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"


class YamlError(ValueError):
    """What is wrong with the text, and in which line (from 1; 0 where no line is to blame)."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass
class YamlDocument:
    """The plain data of one document and the line of every value by its path."""

    value: Any
    line: int
    lines: dict[Path, int] = field(default_factory=dict)


def read_yaml(text: str) -> list[YamlDocument]:
    """All documents that are not empty; YamlError for the first thing that is wrong."""
    try:
        return [_document(root) for root in _roots(text) if not _is_empty(root)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", column {mark.column + 1}" if mark is not None else ""
        raise YamlError(
            f"not YAML: {error.problem or error.context}{where}", mark.line + 1 if mark else 0
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(
            f"not YAML: the character U+{ord(text[error.position]):04X} is not allowed", line
        ) from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {error}") from None
    except RecursionError:
        raise YamlError(f"nested too deeply: at most {MAX_DEPTH} levels are read") from None
    except (ValueError, OverflowError, AttributeError) as error:
        # PyYAML lets a few of its own slips through (a %YAML directive or an escape out of range).
        if isinstance(error, YamlError):
            raise
        raise YamlError(f"not YAML: {error}") from None


class _Loader(yaml.SafeLoader):
    """Composes nodes, and tells a plain scalar from one with a tag or quotes."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0]:
            return _PLAIN
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]


def _roots(text: str) -> Iterator[yaml.Node]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    finally:
        loader.dispose()


def _is_empty(root: yaml.Node) -> bool:
    return (
        isinstance(root, yaml.ScalarNode) and root.tag == _PLAIN and _NULL.fullmatch(root.value) is not None
    )


def _document(root: yaml.Node) -> YamlDocument:
    document = YamlDocument(None, _line(root))
    document.value = _Plain(document.lines).value(root, ())
    return document


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Plain:
    """Turns nodes into plain data. Counts what aliases expand to, so that a bomb ends early."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self.lines = lines
        self.count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        if self.count > MAX_VALUES:
            raise YamlError(f"more than {MAX_VALUES} values once its aliases (*) are filled in", _line(node))
        if len(path) > MAX_DEPTH:
            raise YamlError(f"nested too deeply: at most {MAX_DEPTH} levels are read", _line(node))
        self.lines[path] = _line(node)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise YamlError(f"the tag {node.tag[:60]!r} is not read here: leave it out", _line(node))

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, child in node.value:
            key = _key(key_node)
            if key in result:
                raise YamlError(
                    f"the key {key[:60]!r} is given twice: leave out one of them", _line(key_node)
                )
            result[key] = self.value(child, (*path, key))
        return result


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise YamlError("a key must be text, not a list or a mapping", _line(node))
    if node.tag == _PLAIN and node.value == "<<":
        raise YamlError("merge keys (<<) are not read here: write the fields out", _line(node))
    key = _scalar(node)
    if isinstance(key, str):
        return key
    raise YamlError(
        f"the key {node.value[:60]} is not text but what YAML reads as {type(key).__name__}: put it in "
        "quotes",
        _line(node),
    )


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    if node.tag == f"{_TAG}str":
        return text
    if node.tag != _PLAIN:
        raise YamlError(f"the tag {node.tag[:60]!r} is not read here: leave it out", _line(node))
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return _numeric(text, _line(node))


def _numeric(text: str, line: int) -> Any:
    if _NOT_FINITE.fullmatch(text):
        raise YamlError(f"{text} is not a finite number: NaN and Infinity are not read here", line)
    if len(text) > MAX_DIGITS and _NUMBER.fullmatch(text):
        raise YamlError(f"a number of more than {MAX_DIGITS} characters", line)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DOUBTFUL.fullmatch(text):
        raise YamlError(
            f"{text[:60]} is a number to some YAML readers and text to others: write it in plain decimal, "
            "or in quotes",
            line,
        )
    if _NUMBER.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise YamlError(f"{text[:60]} is too large for a number", line)
        return number
    return text
