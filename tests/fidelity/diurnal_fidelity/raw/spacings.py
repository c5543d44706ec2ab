"""Points that are too even or too clustered: birthday spacings and collisions (TestU01: sknuth, smarsa).

Marsaglia (1985), "A current view of random number generators"; L'Ecuyer and Simard (2001), "On the
performance of birthday spacings tests", Mathematics and Computers in Simulation 55; Knuth, TAOCP 2, 3.3.2 I.
"""

import numpy as np

from diurnal_fidelity import laws
from diurnal_worker.keyed import U64

_BIRTHDAYS = 1 << 12
_DAY_BITS = 32
_BALLS = 1 << 14
_URN_BITS = 24


def birthday_spacings(words: U64) -> float:
    """Equal spacings among 4096 birthdays in a year of 2^32 days, the words' high bits; 4 are expected."""
    days = np.sort(_rows(words >> np.uint64(64 - _DAY_BITS), _BIRTHDAYS), axis=1)
    spacings = np.sort(np.diff(days, axis=1), axis=1)
    equal = int(np.sum(spacings[:, 1:] == spacings[:, :-1]))
    return laws.poisson(equal, days.shape[0] * _BIRTHDAYS**3 / 2 ** (_DAY_BITS + 2))


def collisions(words: U64) -> float:
    """Balls that fall into an urn with one, 2^14 balls into 2^24 urns; 8 are expected."""
    balls = np.sort(_rows(words >> np.uint64(64 - _URN_BITS), _BALLS), axis=1)
    urns = float(2**_URN_BITS)
    expected = _BALLS - urns * -np.expm1(_BALLS * np.log1p(-1 / urns))
    collided = int(np.sum(balls[:, 1:] == balls[:, :-1]))
    return laws.poisson(collided, balls.shape[0] * float(expected))


def _rows(words: U64, length: int) -> U64:
    return words[: words.size // length * length].reshape(-1, length)
