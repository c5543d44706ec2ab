"""What a person reads along a run: each finding is a sentence about something that does not read well."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise

WIDTH = 80
NAME_AND_AGE = 2
"""Words of a line before the first status."""
"""Columns of a terminal, for `kubectl get tsim`."""
STATES = {
    *("Starting", "Running", "Throttled", "Draining", "Stopping", "Suspended"),
    *("Rolling", "Completed", "BudgetExhausted"),
}
ONCE = ("Suspended", "Completed", "BudgetExhausted")
"""States that a run which is stopped once and ends once is in once."""
CONDITIONS = ("Ready", "Reconciling", "Stalled", "Throttled", "Completed", "BudgetExhausted")
LONGEST_LOG = 300
"""Lines of a container that sends hundreds of thousands of messages through every fault."""


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
        if len(lines) > LONGEST_LOG:
            yield f"{name}: {len(lines)} lines"


def of_events(happened: Counter[str], expected: Mapping[str, int]) -> Iterable[str]:
    """Every transition is told once."""
    if happened != Counter(expected):
        yield f"Events: {dict(happened)}, and not {dict(expected)}"


def of_watch(lines: list[str]) -> Iterable[str]:
    """A line fits a terminal, its state is a word that the documentation knows, and none flickers."""
    states = []
    for line in lines:
        found = [word for word in line.split() if word in STATES]
        if len(line) > WIDTH:
            yield f"watch: {len(line)} columns: {line}"
        if not found and len(line.split()) > NAME_AND_AGE:
            yield f"watch: no state that is known: {line}"
        states += found[:1]
    spells = Counter(state for state, _ in groupby(states))
    yield from (f"watch: {spells[state]} spells of {state}" for state in ONCE if spells[state] > 1)
    if states and "BudgetExhausted" in states and states[-1] != "BudgetExhausted":
        yield f"watch: it ended, and is {states[-1]}"


def of_description(text: str) -> Iterable[str]:
    """`kubectl describe` holds no traceback and no hole, and every condition has something to say."""
    yield from (f"describe: {word}" for word in ("Traceback", "<nil>", "<unset>") if word in text)
    if text.count("Message:") < len(CONDITIONS):
        yield f"describe: {text.count('Message:')} messages for {len(CONDITIONS)} conditions"
    yield from (
        f"describe: no condition {kind}" for kind in CONDITIONS if not re.search(rf"Type: +{kind}\b", text)
    )
