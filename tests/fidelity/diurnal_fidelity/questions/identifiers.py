"""Ids of events: every free bit is fair, no two bits go together, neighbours differ in half of their bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from diurnal_fidelity import laws
from diurnal_fidelity.columns import Tick
from diurnal_fidelity.questions.question import Answer, Question
from diurnal_fidelity.signs import products
from diurnal_worker.identifiers import Ids

FREE_BITS = 122
_MOST = 4096  # events of a tick: pairs of bits cost as much as a thousand other questions
_FIXED = (48, 49, 50, 51, 64, 65)  # version and variant: RFC 9562, section 5.8


class Identifiers(Question):
    """Bits of event ids, by themselves, by two, and against the next event's."""

    title = "event ids"

    def see(self, tick: Tick) -> None:
        if tick.events is None or not len(tick):
            return
        ids = tick.events.event_ids
        self.sum("distances", np.bincount(distances(ids), minlength=FREE_BITS + 1))
        bits = free_bits(Ids(ids.high[:_MOST], ids.low[:_MOST]))
        self.sum("draws", np.array([bits.shape[0]]))
        self.sum("ones", bits.sum(axis=0, dtype=np.int64))
        self.sum("pairs", products(bits, bits))

    def answers(self) -> Iterator[Answer]:
        draws = int(self.sums["draws"][0])
        yield Answer("event id, each bit: chi-square", laws.bits_of_places(self.sums["ones"], draws))
        pairs = self.sums["pairs"][np.triu_indices(FREE_BITS, 1)] / np.sqrt(draws)
        yield Answer("event id, pairs of bits: chi-square", laws.pairs_of_bits(pairs))
        worst = 2 * float(stats.norm.sf(np.abs(pairs).max())) * pairs.size
        yield Answer("event id, pairs of bits: the strangest", min(1.0, worst))
        law = stats.binom.pmf(np.arange(FREE_BITS + 1), FREE_BITS, 0.5)
        yield Answer("event id, distance to the next: chi-square", laws.binned(self.sums["distances"], law))


def free_bits(ids: Ids) -> NDArray[np.uint8]:
    """The free bits of each id, shape (n, 122)."""
    both = np.stack([ids.high, ids.low], axis=1).astype(">u8").view(np.uint8)
    return np.delete(np.unpackbits(both, axis=1), _FIXED, axis=1)


def distances(ids: Ids) -> NDArray[np.int64]:
    """In how many bits two successive ids differ; the pairs are disjoint."""
    high, low = (half[: half.size // 2 * 2] for half in ids)
    count = np.bitwise_count(high[::2] ^ high[1::2]) + np.bitwise_count(low[::2] ^ low[1::2])
    return np.asarray(count, np.int64)
