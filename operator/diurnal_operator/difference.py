"""Whether an object is as it should be, other people's fields aside. Pure.

The API server fills in defaults and others add labels: an object is right when it contains what is wanted.
That a field is no longer wanted shows in the digest that is kept in an annotation.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

_QUANTITY: Final = re.compile(r"([0-9]+(?:[.][0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}


def contains(found: Any, wanted: Any) -> bool:
    """Whether ``found`` has everything that ``wanted`` has; lists must agree entry by entry."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            contains(found.get(key), value) for key, value in wanted.items() if value != {}
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(contains(a, b) for a, b in zip(found, wanted, strict=True))
        )
    return bool(found == wanted) or _same_quantity(found, wanted)


def _same_quantity(found: Any, wanted: Any) -> bool:
    """The API server writes 1024Mi as 1Gi and 0.5 as 500m."""
    if not isinstance(found, str) or not isinstance(wanted, str):
        return False
    first, second = _QUANTITY.fullmatch(found), _QUANTITY.fullmatch(wanted)
    if first is None or second is None:
        return False
    return _amount(first) == _amount(second)


def _amount(match: re.Match[str]) -> Decimal:
    return Decimal(match[1]) * _UNITS[match[2] or ""]
