"""The operator is killed before and after every single write that a change takes; another life finishes.

Enumerated, not sampled. The oracle is the same change without a fault: the same end, and as many objects
created and deleted (Sun et al., "Automatic Reliability Testing for Cluster Management Controllers", OSDI
2022).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from gate import Harm, Request, Rule, unharmed
from lives import Life
from stages import CHANGES, SPEC, Stage, Step, Told
from world import eventually

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_killed_at_every_single_write_the_end_is_that_of_a_calm_life(
    change: str, when: str, stages: list[Stage]
) -> None:
    """So is the way back: a change and what undoes it are tried by turns."""
    calm: dict[bool, Told] = {}

    def play(stage: Stage, numbers: range) -> int:
        """Tells how many kills there were until a number was not reached."""
        kills = 0
        for number in numbers:
            struck = [_killed(stage, step, when, number, calm[step is back]) for step in (there, back)]
            kills += sum(struck)
            if not any(struck):
                return kills
        return kills

    there, back = CHANGES[change]
    with ThreadPoolExecutor(len(stages)) as side_by_side:
        first = list(side_by_side.map(lambda stage: _calm(stage, change), stages))
        for another in first[1:]:
            assert [(told.end, told.counts) for told in another] == [(t.end, t.counts) for t in first[0]]
        calm = {False: first[0][0], True: first[0][1]}
        numbers = [range(own, 99, len(stages)) for own in range(len(stages))]
        kills = sum(side_by_side.map(play, stages, numbers))
    print(f"{change}: killed {when} {kills} writes")
    assert kills >= sum(len(set(told.writes)) for told in calm.values()), "every object, at least"


def _calm(stage: Stage, change: str) -> tuple[Told, Told]:
    """The change and the way back without a fault, from a simulation that is new and settled."""
    if stage.exists():
        stage.take(None, quiet)
    if change != "create":
        stage.take(SPEC, quiet)
    there, back = CHANGES[change]
    return stage.take(there, quiet), stage.take(back, quiet)


def _killed(stage: Stage, step: Step, when: str, number: int, calm: Told) -> bool:
    """Takes a step with a kill at one write, and compares; whether there was such a write."""
    strike = Strike(stage, when, number)
    told = stage.take(step, strike.rule_of)
    what = f"{step}: killed {when} {strike.struck}"
    assert told.end == calm.end, what
    assert told.counts == calm.counts, what
    assert not told.events - calm.events, what
    return strike.struck is not None


def test_deleted_at_every_write_of_a_rescale_while_no_operator_lives_nothing_is_left(
    stages: list[Stage],
) -> None:
    def play(stage: Stage, numbers: range) -> int:
        for kills, number in enumerate(numbers):
            if not stage.exists():
                stage.take(SPEC, quiet)
            strike = Strike(stage, "after", number, stage.delete)
            stage.take(CHANGES["rescale"][0], strike.rule_of)
            if strike.struck is None:
                return kills
            eventually(f"nothing is left after {strike.struck}", stage.is_empty)
        return len(numbers)

    with ThreadPoolExecutor(len(stages)) as side_by_side:
        numbers = [range(own, 99, len(stages)) for own in range(len(stages))]
        assert sum(side_by_side.map(play, stages, numbers)) > len(stages)


def quiet(_: Life) -> Rule:
    """Nothing goes wrong."""
    return unharmed


@dataclass
class Strike:
    """Kills a life of the operator at its write of a number; `then` is done while none lives."""

    stage: Stage
    when: str
    number: int
    then: Callable[[], object] = lambda: None
    struck: Request | None = None

    def rule_of(self, life: Life) -> Rule:
        def kill() -> None:
            life.kill()
            self.then()

        def rule(request: Request) -> Harm | None:
            if not request.is_write or self.stage.system in request.path or self.struck is not None:
                return None
            if len(self.stage.gate.writes(but=self.stage.system)) <= self.number:
                return None
            self.struck = request
            return Harm(committed=self.when == "after", then=kill)

        return rule
