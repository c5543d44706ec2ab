"""``diurnal validate FILE...``: every rule that one object can break, offline, told so that a person can act.

It refuses what the API server would refuse (the models are the source of both), and unknown fields, which a
plain API server may drop silently. Objects of other kinds in the same file are left to others.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diurnal_api.problems import Problem, problems_of, shown
from diurnal_api.spec import API_VERSION, GROUP, KIND, TrafficSimulation
from diurnal_cli.files import Document, FileError, read_documents


@dataclass(frozen=True)
class Finding:
    """A problem at its line (from 1; 0 where there is none); ``path`` is the field, "" for the whole."""

    path: str
    message: str
    line: int = 0


@dataclass(frozen=True)
class Report:
    """What was found in one document of a file; ``document`` counts from 1, 0 is the whole file."""

    file: str
    document: int = 0
    of: int = 0
    name: str | None = None
    skipped: str | None = None
    problems: tuple[Finding, ...] = ()
    simulation: TrafficSimulation | None = None

    @property
    def valid(self) -> bool:
        return not self.problems


class InvalidInputError(ValueError):
    """A file that does not hold exactly one valid TrafficSimulation; the text names every problem."""


def run(paths: Sequence[str | Path], output: str = "text") -> int:
    """Validates and prints, as text or for machines (``output="json"``); 1 if anything is invalid."""
    reports = validate_files(paths)
    print(render_json(reports) if output == "json" else render_text(reports))
    return 0 if all(report.valid for report in reports) else 1


def validate_files(paths: Iterable[str | Path]) -> list[Report]:
    """A report on every document of every file. Never raises for what a file holds."""
    return [report for path in paths for report in validate_file(path)]


def validate_file(path: str | Path) -> list[Report]:
    """A report on every document of one file."""
    file = str(path)
    try:
        documents = read_documents(path)
    except FileError as problem:
        return [Report(file, problems=(Finding("", problem.message, problem.line),))]
    reports = [_report(file, document, len(documents)) for document in documents]
    if all(report.skipped for report in reports):
        reports.append(Report(file, problems=(Finding("", f"holds no {KIND} of {API_VERSION}"),)))
    return reports


def load(path: str | Path, *, local: bool = False) -> TrafficSimulation:
    """The one TrafficSimulation of a file; InvalidInputError names all problems.

    ``local`` also takes a path of this machine for population.countries.uri, which a cluster must not.
    """
    report = _report(str(path), _only_document(path), 1, local=local)
    if report.simulation is None:
        raise InvalidInputError(render_text([report]))
    return report.simulation


def load_value(path: str | Path) -> Any:
    """The plain data of the one TrafficSimulation of a file, not validated yet, for --set to change."""
    return _only_document(path).value


def _only_document(path: str | Path) -> Document:
    try:
        documents = [document for document in read_documents(path) if _other_kind(document.value) is None]
    except FileError as problem:
        raise _invalid(path, problem.message, problem.line) from None
    if len(documents) != 1:
        raise _invalid(path, f"holds {len(documents)} objects of kind {KIND}: exactly one can be used here")
    return documents[0]


def _invalid(path: str | Path, message: str, line: int = 0) -> InvalidInputError:
    return InvalidInputError(render_text([Report(str(path), problems=(Finding("", message, line),))]))


def check(value: Any, *, local: bool = False) -> tuple[TrafficSimulation | None, tuple[Problem, ...]]:
    """A TrafficSimulation from plain data, or why not."""
    if not isinstance(value, dict):
        return None, (
            Problem((), f"must be a mapping with apiVersion, kind, metadata and spec, not {shown(value)}"),
        )
    # The API server ignores a status that a user sends, so that `kubectl get -o yaml` can be fed back.
    wanted = {key: part for key, part in value.items() if key != "status"}
    try:
        # By alias only: the API server knows maxUSD, and nothing of Python's max_usd.
        text = json.dumps(wanted)
        context = {"local": local}
        return TrafficSimulation.model_validate_json(text, context=context, by_alias=True, by_name=False), ()
    except ValidationError as error:
        return None, problems_of(error, TrafficSimulation)
    except RecursionError:
        return None, (Problem((), "is nested too deeply"),)


def _report(file: str, document: Document, of: int, *, local: bool = False) -> Report:
    other = _other_kind(document.value)
    name = _name(document.value)
    if other is not None:
        return Report(file, document.number, of, name, skipped=f"{other} is not a {KIND}")
    simulation, problems = check(document.value, local=local)
    findings = tuple(
        Finding(problem.path, problem.message, document.line_of(problem.location)) for problem in problems
    )
    return Report(file, document.number, of, name, problems=findings, simulation=simulation)


def _other_kind(value: Any) -> str | None:
    """The kind of an object that is plainly meant for somebody else, else None."""
    if not isinstance(value, dict):
        return None
    version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str) or not version or not kind:
        return None
    foreign = not version.lower().startswith(GROUP.partition(".")[0]) and kind.lower() != KIND.lower()
    return f"{kind[:80]}" if foreign else None


def _name(value: Any) -> str | None:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def render_text(reports: Iterable[Report]) -> str:
    """One line a problem, ``file:line: document 2: spec.shards: what is wrong``, or that all is well."""
    return "\n".join(_printable(line) for report in reports for line in _lines(report))


def _lines(report: Report) -> list[str]:
    number = f" document {report.document}:" if report.of > 1 else ""
    if report.skipped:
        return [f"{report.file}:{number} skipped: {report.skipped}"]
    if report.valid:
        return [f"{report.file}:{number} ok: {KIND} {report.name}"]
    return [
        f"{report.file}{f':{finding.line}' if finding.line else ''}:{number} "
        f"{f'{finding.path}: ' if finding.path else ''}{finding.message}"
        for finding in report.problems
    ]


def _printable(line: str) -> str:
    """The line without anything that could move a terminal's cursor or forge another line."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line
    )


def render_json(reports: Sequence[Report]) -> str:
    """The same for machines: {"valid": ..., "reports": [{"file", "name", "valid", "problems", ...}]}."""
    return json.dumps(
        {
            "valid": all(report.valid for report in reports),
            "reports": [
                {
                    "file": report.file,
                    "document": report.document or None,
                    "name": report.name,
                    "valid": report.valid,
                    "skipped": report.skipped,
                    "problems": [
                        {"path": finding.path, "line": finding.line or None, "message": finding.message}
                        for finding in report.problems
                    ],
                }
                for report in reports
            ],
        },
        indent=2,
    )
