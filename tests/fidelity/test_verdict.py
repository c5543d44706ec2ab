"""Holm's procedure: by hand, and by its promise."""

import numpy as np

from diurnal_fidelity.verdict import FAMILY, KNOWN, Judged, rejected


def family(*ps: float) -> list[Judged]:
    return [Judged("part", "kind", str(place), p) for place, p in enumerate(ps)]


def test_the_smallest_is_held_against_its_share_of_the_bound() -> None:
    assert rejected(family(FAMILY / 2 * 1.01, 0.5)) == []
    assert [answer.question for answer in rejected(family(0.5, FAMILY / 2 * 0.99))] == ["1"]


def test_the_next_one_is_held_against_a_larger_share() -> None:
    """0.9 of the bound would be too much for the smaller of two, and is not for the one that is left."""
    assert len(rejected(family(FAMILY * 0.9, FAMILY * 0.4))) == 2
    assert rejected(family(FAMILY * 0.9, FAMILY * 0.6)) == []


def test_nothing_is_rejected_beyond_the_first_that_is_not() -> None:
    assert len(rejected(family(1e-300, FAMILY, FAMILY))) == 1


def test_a_family_of_sound_answers_is_left_alone() -> None:
    assert rejected(family(*np.random.default_rng(1).random(10_000))) == []


def test_what_is_known_is_not_counted() -> None:
    part, kind, question = next(iter(KNOWN))
    assert rejected([Judged(part, kind, question, 1e-30), Judged(part, kind, "another question", 0.1)]) == []
    assert rejected([Judged("another part", kind, question, 1e-30)]) != []
