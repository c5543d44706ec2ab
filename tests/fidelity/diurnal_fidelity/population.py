"""What users are, asked of the axis itself and not of events: device, id, session, and their neighbours'."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from checks import Ints
from diurnal_api.events import DEVICE_TYPE_WEIGHTS
from diurnal_fidelity import laws
from diurnal_fidelity.questions.identifiers import FREE_BITS, distances, free_bits
from diurnal_fidelity.questions.question import Answer
from diurnal_fidelity.scenarios import SEED
from diurnal_fidelity.signs import products
from diurnal_worker.identifiers import Ids
from diurnal_worker.users import SESSION, Users, traits
from reference import MINUTE, SLOTS, instant

_NOON = instant("2026-06-01T12:00:00Z")
_BLOCK = 1 << 18
_CHUNK = 1 << 14


def answers(number: int) -> Iterator[Answer]:
    """P-values about the first `number` users."""
    users = Users(SEED, DEVICE_TYPE_WEIGHTS)
    axis = np.arange(number, dtype=np.uint64)
    kinds = np.concatenate([users.traits_of(part) for part in _parts(axis)]).astype(np.int64)
    law = np.array([kind.share for kind in traits(DEVICE_TYPE_WEIGHTS)])
    yield Answer(
        "device and system: chi-square", laws.shares(np.bincount(kinds, minlength=law.size)[None], law)
    )
    for lag in (1, SLOTS):
        yield Answer(
            f"device by device of user g + {lag}: chi-square",
            laws.shares(_neighbours(kinds, lag, law.size), law),
        )
    yield from _of_ids("user id", [users.ids(part) for part in _parts(axis)])
    noon = np.full(number, _NOON, np.uint64)
    yield from _of_ids(
        "session id", [users.session_ids(t, u) for t, u in zip(_parts(noon), _parts(axis), strict=True)]
    )
    yield from _of_sessions(users, axis, kinds, law)


def _of_sessions(
    users: Users,
    axis: np.ndarray[tuple[int], np.dtype[np.uint64]],
    kinds: Ints,
    law: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Iterator[Answer]:
    """Sessions of three hours begin at any moment, whoever the neighbour and whatever the device is."""
    begins = np.zeros(axis.size, np.int64)
    parts = SESSION // (15 * MINUTE)
    for part in range(parts):
        before, after = (np.full(axis.size, _NOON + (part + k) * 15 * MINUTE, np.uint64) for k in (0, 1))
        changed = users.session_ids(before, axis).low != users.session_ids(after, axis).low
        begins[changed] = part
    even = np.full(parts, 1 / parts)
    yield Answer(
        "session beginnings: chi-square", laws.shares(np.bincount(begins, minlength=parts)[None], even)
    )
    yield Answer(
        "session beginnings of neighbours: chi-square", laws.shares(_neighbours(begins, 1, parts), even)
    )
    table = np.bincount(begins * law.size + kinds, minlength=parts * law.size).reshape(parts, -1)
    yield Answer("device by session beginning: chi-square", laws.shares(table, law))


def _of_ids(name: str, blocks: list[Ids]) -> Iterator[Answer]:
    draws = sum(block.high.size for block in blocks)
    ones, pairs = np.zeros(FREE_BITS, np.int64), np.zeros((FREE_BITS, FREE_BITS), np.int64)
    apart = np.zeros(FREE_BITS + 1, np.int64)
    for block in blocks:
        for first in range(0, block.high.size, _CHUNK):
            bits = free_bits(Ids(block.high[first : first + _CHUNK], block.low[first : first + _CHUNK]))
            ones += np.sum(bits, axis=0, dtype=np.int64)
            pairs += products(bits, bits)
        apart += np.bincount(distances(block), minlength=apart.size)
    yield Answer(f"{name}, each bit: chi-square", laws.bits_of_places(ones, draws))
    correlations = pairs[np.triu_indices(FREE_BITS, 1)] / np.sqrt(draws)
    yield Answer(f"{name}, pairs of bits: chi-square", laws.pairs_of_bits(correlations))
    half = stats.binom.pmf(np.arange(FREE_BITS + 1), FREE_BITS, 0.5)
    yield Answer(f"{name}, distance between neighbours: chi-square", laws.binned(apart, half))


def _neighbours(values: Ints, lag: int, width: int) -> Ints:
    """Values by that of the user `lag` further, shape (width, width), over disjoint pairs."""
    pairs = values[: values.size // (2 * lag) * 2 * lag].reshape(-1, 2, lag)
    flat = pairs[:, 1].ravel() * width + pairs[:, 0].ravel()
    return np.bincount(flat, minlength=width * width).reshape(width, width)


def _parts(
    values: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> list[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    return [values[first : first + _BLOCK] for first in range(0, values.size, _BLOCK)]
