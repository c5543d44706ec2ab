"""What `make scale` measures, and the bounds that it has to keep."""

from __future__ import annotations

from dataclasses import dataclass

START_WITHIN = 2.0
READY_WITHIN = 180.0
MOST_CPU = 0.25
MOST_MEMORY = 200.0
MOST_WRITES = 5


@dataclass(frozen=True)
class Row:
    """One figure, its bound where it has one, and whether that is kept."""

    what: str
    figure: str
    bound: str = ""
    kept: bool = True


@dataclass(frozen=True)
class Figures:
    """Times and CPU in seconds, memory in MB (10^6 bytes), writes of statuses as numbers."""

    simulations: int
    shards: int
    lead: float
    ready: float
    start_cpu: float
    start_writes: int
    steady: float
    steady_cpu: float
    steady_writes: int
    most_writes: int
    memory: float
    peak: float

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return (
            _below("CPU from its own start until it leads", self.lead, START_WITHIN, "{:.1f} s"),
            _below("all Ready after", self.ready, READY_WITHIN, "{:.0f} s"),
            Row(
                "CPU from apply to Ready",
                f"{self.start_cpu:.1f} s, {self.start_cpu / self.ready:.0%} of a core",
            ),
            _below("CPU afterwards, of one core", self.steady_cpu / self.steady, MOST_CPU, "{:.1%}"),
            _below("resident memory at the end", self.memory, MOST_MEMORY, "{:.0f} MB"),
            _below("its peak", self.peak, MOST_MEMORY, "{:.0f} MB"),
            Row("status writes from apply to Ready", f"{self.start_writes}"),
            Row("status writes a second afterwards", f"{self.steady_writes / self.steady:.2f}"),
            _below("the most of them in any second", self.most_writes, MOST_WRITES, "{:.0f}"),
        )

    @property
    def kept(self) -> bool:
        """Whether every bound is."""
        return all(row.kept for row in self.rows)

    @property
    def table(self) -> str:
        """For a terminal."""
        rows = [
            f"{row.what:40}{row.figure:24}"
            + (f"at most {row.bound}{'' if row.kept else ': NOT KEPT'}" if row.bound else "")
            for row in self.rows
        ]
        return "\n".join(
            (f"{self.shards:,} shards in {self.simulations} simulations", *map(str.rstrip, rows))
        )


def _below(what: str, figure: float, bound: float, form: str) -> Row:
    return Row(what, form.format(figure), form.format(bound), figure <= bound)
