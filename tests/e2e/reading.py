"""What a person reads along a run: each finding is a sentence about something that does not read well."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

WIDTH = 80
"""Columns of a terminal, for `kubectl get tsim`."""
STATES = {
    *("Starting", "Running", "Throttled", "Draining", "Stopping", "Suspended"),
    *("Rolling", "Completed", "BudgetExhausted"),
}


def of_logs(logs: Mapping[str, list[str]]) -> Iterable[str]:
    """A log has one JSON object a line, no traceback, and nothing twice in a row."""
    for name, lines in logs.items():
        said = []
        for line in lines:
            try:
                entry = json.loads(line)
                said.append((entry["event"], entry.get("why"), entry.get("names"), entry["level"]))
            except (ValueError, KeyError):
                yield f"{name}: no line for people and machines: {line[:200]}"
        yield from (f"{name}: twice: {one}" for one, other in pairwise(said) if one == other)
        yield from (f"{name}: {entry}" for entry in said if entry[3] == "error")


def of_events(happened: Counter[str], expected: Mapping[str, int]) -> Iterable[str]:
    """Every transition is told once."""
    if happened != Counter(expected):
        yield f"Events: {dict(happened)}, and not {dict(expected)}"


def of_watch(lines: list[str]) -> Iterable[str]:
    """A line fits a terminal, and its state is a word that the documentation knows."""
    for line in lines:
        words = line.split()
        if len(line) > WIDTH:
            yield f"watch: {len(line)} columns: {line}"
        if not any(word in STATES for word in words):
            yield f"watch: no state that is known: {line}"
