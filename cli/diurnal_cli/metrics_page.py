"""``python -m diurnal_cli.metrics_page`` prints docs/metrics.md: every metric, as its declaration says it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from diurnal_api.metrics import BRAKES, OPERATOR, STATES, WORKER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diurnal_api.metrics import Family

HEAD: Final = f"""\
<!-- Generated from api/diurnal_api/metrics.py by `python -m diurnal_cli.metrics_page`. Do not edit. -->
# Metrics
Workers answer `/metrics` on port 9090, the operator on port 8080, both in Prometheus' text format.
[monitoring.md](monitoring.md) says how to have them scraped, and which dashboard and alerts there are.

Times that end in `_timestamp_seconds` are Unix times, simulated ones too, so that a dashboard shows them as
dates. Metrics are read off the running worker when they are asked for; nothing is counted for each event.

## Labels
| label | on | values |
|---|---|---|
| `namespace`, `simulation`, `shard` | workers | from the pod's labels, by the scrape configuration |
| `namespace`, `simulation` | `diurnal_operator_simulation_*` | the simulation that the series is about |
| `state` | `diurnal_worker_state` | {", ".join(f"`{state}`" for state in STATES)} |
| `by` | `diurnal_worker_throttled_seconds_total` | {", ".join(f"`{brake}`" for brake in BRAKES)} |
| `reason` | `diurnal_worker_publish_errors_total` | `QuotaExhausted`, `Unavailable`, \
`DeadlineExceeded`, `Aborted`, `InternalError`, `Cancelled`, `CredentialsUnavailable`, `UnknownError` pass \
by themselves ([runbooks](runbooks.md#diurnalpublisherrors)); the others are \
[reasons](operator.md#reasons) of Stalled |
| `outcome` | `diurnal_operator_reconciles_total` | `changed`, `unchanged`, `gone`; `conflict` (again \
at once); `retried`, `failed` (again after a wait); `not_leading` |
| `condition` | `diurnal_operator_simulation_condition` | the types of `status.conditions` |

Both also have Prometheus' own `process_*` series: CPU, memory, open files.
"""


def metrics_page() -> str:
    """The text of docs/metrics.md."""
    return f"{HEAD}\n## Worker\n{_table(WORKER)}\n## Operator\n{_table(OPERATOR)}"


def _table(families: Iterable[Family]) -> str:
    return "| metric | type | labels | |\n|---|---|---|---|\n" + "".join(map(_row, families))


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    text = family.help + (f" Only with {family.optional}." if family.optional else "")
    return f"| `{family.name}` | {family.kind} | {labels} | {text} |\n"


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
