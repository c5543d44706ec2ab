"""The operator: it turns TrafficSimulations into workers, and what workers do into a status."""

from typing import Final

FIELD_MANAGER: Final = "diurnal-operator"
"""The name under which the operator applies objects and statuses."""
