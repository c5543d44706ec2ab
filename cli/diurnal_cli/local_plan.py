"""From a simulation to its first plan on this machine, the same for ``diurnal plan`` and ``diurnal run``.

What needs the world and is wrong is refused here, before anything starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diurnal_api.plan import DatasetRef
from diurnal_api.planning import first_plan
from diurnal_cli.durations import parse_duration
from diurnal_cli.validate import InvalidInputError
from diurnal_worker import ENGINE
from diurnal_worker.sources import load
from diurnal_worker.strata import World
from diurnal_worker.zonefiles import TZDATA_VERSION
from diurnal_worker.zones import QUARTER, Offsets

if TYPE_CHECKING:
    from diurnal_api.plan import Plan
    from diurnal_api.spec import TrafficSimulation
    from diurnal_worker.dataset import Dataset


def dataset_of(simulation: TrafficSimulation) -> Dataset:
    """The countries of a simulation; InvalidInputError or DatasetError say why there are none."""
    countries = simulation.spec.population.countries
    if countries.config_map is not None:
        raise InvalidInputError(
            "population.countries.configMap needs a cluster: use --set population.countries='{uri: FILE}'"
        )
    generation = None if countries.generation is None else int(countries.generation)
    return load(countries.builtin or countries.uri or "", generation=generation, sha256=countries.sha256)


def plan_here(simulation: TrafficSimulation, dataset: Dataset, length: str | None, now: int) -> Plan:
    """The first plan; ``length`` is what --for says, ``now`` (microseconds since 1970) what Now means."""
    spec = simulation.spec
    plan = first_plan(
        spec,
        run=f"{simulation.metadata.name}-{spec.restart_nonce}",
        now=now,
        shards=max(int(spec.shards), 1),
        engine=ENGINE,
        tzdata=TZDATA_VERSION,
        dataset=DatasetRef(uri=dataset.uri, generation=dataset.generation, sha256=dataset.sha256),
    )
    _refuse_odd_offsets(
        World.build(dataset, int(spec.population.users), int(spec.population.seed)), plan.start
    )
    return until(plan, length)


def until(plan: Plan, length: str | None) -> Plan:
    """The plan with the end that --for asks for, where that is the earlier one."""
    end = plan.pace.end
    if length is not None:
        try:
            asked = plan.start + parse_duration(length)
        except ValueError as error:
            raise InvalidInputError(f"--for {error}") from None
        end = asked if end is None else min(end, asked)
    if end is not None and end <= plan.start:
        raise InvalidInputError("clock.end is past: the run would be empty; choose a later one")
    return plan.model_copy(update={"pace": plan.pace.model_copy(update={"end": end})})


def _refuse_odd_offsets(world: World, start: int) -> None:
    """A zone that is no multiple of 15 minutes from UTC at the start has no place on the grid of ticks."""
    try:
        Offsets(world.zones).at(start // QUARTER)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
