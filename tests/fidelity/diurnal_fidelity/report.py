"""The result as a page: what was looked at, what was asked, what came out, which defects were found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from diurnal_fidelity.asking import Part
from diurnal_fidelity.defects import DEFECTS
from diurnal_fidelity.verdict import FAMILY, KNOWN, Judged, is_known, rejected
from diurnal_worker import ENGINE


@dataclass(frozen=True)
class Circumstances:
    """How a result came about."""

    date: str
    command: str
    machine: str
    commit: str
    processes: int
    seconds: float
    peak_mb: float


def page(
    part: Part, defects: Mapping[str, tuple[int, Sequence[Judged]]], how: Circumstances, notes: str
) -> str:
    """The whole page, Markdown; `defects` gives events and answers by name, `notes` stands at the end."""
    return "\n".join(
        [
            *_opening(part, how),
            *_seen(part),
            *_asked(part),
            *_strangest(part),
            *_pictures(bool(part.residuals)),
            *_defects(defects),
            notes.strip(),
            "",
        ]
    )


def is_sound(part: Part) -> bool:
    """Whether nothing is rejected."""
    return not rejected(part.answers)


def found(answers: Sequence[Judged]) -> bool:
    """Whether a planted defect is."""
    return bool(rejected(answers))


def _opening(part: Part, how: Circumstances) -> Iterator[str]:
    strange = rejected(part.answers)
    family = [answer for answer in part.answers if not is_known(answer)]
    events = sum(seen.events for seen in part.seen if seen.ticks)
    smallest = min(answer.p for answer in family)
    yield "# Fidelity"
    yield ""
    if strange:
        share = f"{len(strange)} of {len(family)} p-values"
        yield f"**{share} are rejected: the stream is not the process that it claims to be.**"
    else:
        yield (
            f"{events:,} events and {len(family)} p-values: **none is rejected**. The smallest is "
            f"{smallest:.1e}; by chance alone it is below {math.log(2) / len(family):.1e} in one run of two."
        )
    yield ""
    yield (
        f"The bound: Holm's procedure, over all p-values together, rejects a correct engine with probability "
        f"{FAMILY:g} at most."
    )
    yield ""
    for answer in part.answers:
        if is_known(answer):
            reason = KNOWN[answer.part, answer.kind, answer.question]
            yield f"Known, and not counted (p = {answer.p:.1e}): {reason}."
            yield ""
    yield f"- {how.date}, `{how.command}`, commit {how.commit}, engine {ENGINE}"
    yield f"- {how.machine}"
    yield f"- {how.processes} processes, {how.seconds:,.0f} s, at most {how.peak_mb:,.0f} MB a process"
    yield ""


def _seen(part: Part) -> Iterator[str]:
    yield "## What was looked at"
    yield ""
    yield "| part | what it is | how much |"
    yield "|---|---|---|"
    for seen in part.seen:
        unit = (
            f"events in {seen.ticks:,} ticks"
            if seen.ticks
            else ("users" if seen.name == "users" else "words of 64 bits")
        )
        yield f"| {seen.name} | {seen.describes} | {seen.events:,} {unit} |"
    yield ""


def _asked(part: Part) -> Iterator[str]:
    yield "## What was asked"
    yield ""
    yield "| part | questions about | p-values | smallest | which |"
    yield "|---|---|---:|---:|---|"
    for (name, kind), group in groupby(part.answers, key=lambda answer: (answer.part, answer.kind)):
        answers = list(group)
        worst = min(answers, key=lambda answer: answer.p)
        yield f"| {name} | {kind} | {len(answers)} | {worst.p:.2g} | {worst.question} |"
    yield ""


def _strangest(part: Part) -> Iterator[str]:
    yield "The ten smallest, each beside the bound that it is held against:"
    yield ""
    yield "| p | bound | part | question |"
    yield "|---:|---:|---|---|"
    ordered = sorted((a for a in part.answers if not is_known(a)), key=lambda answer: answer.p)
    for place, answer in enumerate(ordered[:10]):
        bound = FAMILY / (len(ordered) - place)
        yield f"| {answer.p:.2g} | {bound:.2g} | {answer.part} | {answer.kind}: {answer.question} |"
    yield ""


def _pictures(residuals: bool) -> Iterator[str]:
    yield "![All p-values, sorted](images/fidelity-p-values.svg)"
    yield ""
    if residuals:
        yield "![Counts by stratum and hour against the closed form](images/fidelity-residuals.svg)"
        yield ""


def _defects(defects: Mapping[str, tuple[int, Sequence[Judged]]]) -> Iterator[str]:
    if not defects:
        return
    yield "## Planted defects"
    yield ""
    yield "The same questions, asked of the engine with one mistake each, in a hundredth of the events or so:"
    yield ""
    yield "| defect | what is wrong | events | rejected | by, above all | p |"
    yield "|---|---|---:|---:|---|---:|"
    for name, (events, answers) in defects.items():
        strange = rejected(answers)
        best = f"{strange[0].question} | {_tiny(strange[0].p)}" if strange else "**not found** |"
        share = f"{len(strange)} of {len(answers)}"
        yield f"| {name} | {DEFECTS[name].describes} | {events:,} | {share} | {best} |"
    yield ""


def _tiny(p: float) -> str:
    return f"{p:.1e}" if p > 0 else "< 1e-300"
