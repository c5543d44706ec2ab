"""One look at a simulation becomes one decision. Pure: whatever was missed before, the next look makes good.

The order is the safety: Leases are sealed before a plan is made from them, a plan is stored (only if nobody
changed the object meanwhile) before any object of it is made, and only then the old objects go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from diurnal_api.layout import Segment, parse_position
from diurnal_api.plan import Pace, Plan
from diurnal_api.planning import BudgetTooSmallError, TooManyRegimesError, UnchangeableError, pace_of
from diurnal_api.status import Status
from diurnal_operator import rollout
from diurnal_operator.admission import refusal_of
from diurnal_operator.ceilings import Grant, are_set, grant, usd_a_message, wanted_rate
from diurnal_operator.conditions import Progress, conditions_of
from diurnal_operator.convergence import Changes, changes, is_ready
from diurnal_operator.expiry import is_held
from diurnal_operator.faults import fault_of
from diurnal_operator.halting import Halt, halt_of
from diurnal_operator.happenings import Happening, counted, happenings
from diurnal_operator.observation import Claim, Object, Observation, is_leaving
from diurnal_operator.report import due_in, is_news, is_urgent, status_of
from diurnal_operator.settings import Settings
from diurnal_operator.situation import Situation, is_current
from diurnal_operator.throttling import throttle_of

_OLD_IMAGE = (
    "by the worker image of before, because the one that the operator has now draws another stream: set "
    "another spec.restartNonce to begin a new run with it"
)


@dataclass(frozen=True)
class Decision:
    """What to do: seal, apply (in this order), write the status, delete, tell; and when to look again.

    ``status`` replaces the whole status. All of it depends on the objects being as they were seen, for a
    write may come late, out of a process that was frozen. ``after`` is in seconds.
    """

    seal: tuple[Object, ...] = ()
    apply: tuple[Object, ...] = ()
    status: Object | None = None
    delete: tuple[Object, ...] = ()
    events: tuple[Happening, ...] = ()
    after: float = 60.0
    epoch: int = 0

    @property
    def writes(self) -> bool:
        """Whether anything is to be changed."""
        return bool(self.seal or self.apply or self.delete or self.status is not None)


def reconcile(seen: Observation, settings: Settings) -> Decision:
    """The next steps for a simulation. pydantic's ValidationError where its object is not valid."""
    if is_leaving(seen.simulation):
        return Decision(after=settings.waits.resync)
    return _Reconcile(Situation.of(seen), settings).decide()


class _Reconcile:
    """One decision in the making: the situation with what follows from spec and settings."""

    def __init__(self, situation: Situation, settings: Settings) -> None:
        self.situation, self.settings = situation, settings
        self.shards = min(int(situation.spec.shards), settings.ceilings.shards)
        refusal = refusal_of(situation.spec, settings.ceilings)
        self.granted = Grant(0.0) if refusal else _granted(situation, settings)
        self.halt = halt_of(situation, self._pace(max(self.shards, 1)), self.granted, refusal)

    def decide(self) -> Decision:
        plan = self.situation.plan
        if plan is None:
            return self._without_plan()
        if self.halt is None and rollout.is_due(self.situation, plan, self.shards):
            return self._change(plan)
        return self._hold(self._kept_up(plan))

    def _without_plan(self) -> Decision:
        if self.halt is not None:
            return self._told(None, halt=self.halt)
        left = rollout.leftovers(self.situation, self.settings)
        if not left.is_done:
            return Decision(left.seal, left.apply, delete=left.delete, after=self.settings.waits.drain_poll)
        return self._planned(self._with_pace(rollout.begin(self.situation, self.shards, self.settings)))

    def _change(self, plan: Plan) -> Decision:
        """Towards the next epoch: drain the old one, then plan; nothing stops for what cannot follow."""
        try:
            following = self._next(plan)
        except UnchangeableError as error:
            reason = "TooManyRegimes" if isinstance(error, TooManyRegimesError) else "ImmutableField"
            return self._told(plan, halt=Halt(reason, str(error), stalled=True))
        if self.situation.has_unnoted_loss:
            return self._noted(plan)
        draining = rollout.drain(self.situation, plan, self.settings)
        if not draining.is_done:
            kept = self._kept_up(plan)
            told = self._told(kept, progress=self._progress(kept, "Draining", _drained(draining, plan)))
            return Decision(
                draining.seal, draining.apply, told.status,
                events=told.events, after=self.settings.waits.drain_poll, epoch=int(plan.epoch),
            )  # fmt: skip
        return self._planned(self._with_pace(following))

    def _next(self, plan: Plan) -> Plan:
        """The plan that follows; UnchangeableError where the run cannot follow."""
        if not self.situation.is_same_run:
            return rollout.begin(self.situation, self.shards, self.settings)
        return rollout.advance(self.situation, plan, self.shards)

    def _hold(self, plan: Plan) -> Decision:
        """The plan stays: the world follows it."""
        if self.situation.has_unnoted_loss:
            return self._noted(plan)
        wanted = changes(self.situation, plan, self.settings, running=self.halt is None)
        progress = self._following(plan, wanted)
        fault = self._fault(plan, wanted)
        told = self._told(plan, halt=self.halt, fault=fault, progress=progress)
        return Decision(
            apply=wanted.apply, status=told.status, delete=wanted.delete,
            events=told.events, after=self._again(told, progress, wanted), epoch=int(plan.epoch),
        )  # fmt: skip

    def _planned(self, plan: Plan) -> Decision:
        """A new plan is stored before anything of it is made; the next look, at once, makes it."""
        progress = Progress(
            int(plan.shards), 0, "Starting", f"epoch {plan.epoch} begins with {counted(int(plan.shards))}"
        )
        told = self._told(plan, progress=progress)
        return Decision(status=told.status, events=told.events, after=0.0, epoch=int(plan.epoch))

    def _noted(self, plan: Plan) -> Decision:
        """Writes down how far lost Leases may have gone, before anything is put in their place."""
        kept = self._kept_up(plan)
        status = self._status(kept, progress=self._progress(kept, "Starting", "a Lease is lost: put back"))
        return self._write(status, after=0.0)

    def _kept_up(self, plan: Plan) -> Plan:
        """The same epoch with what changes at once: pace, dataset, and the total that was reached."""
        if not self.situation.is_same_run:
            return plan
        first = self.situation.checkpoints.get(0)
        dataset = plan.dataset or (first.dataset if first else None)
        known = {"dataset": dataset, "reached": self.situation.reached}
        return self._with_pace(plan.model_copy(update=known))

    def _with_pace(self, plan: Plan) -> Plan:
        pace = self._pace(int(plan.shards))
        if self.granted.rate == 0:
            pace = pace.model_copy(update={"messages_per_second": plan.pace.messages_per_second})
        return plan.model_copy(update={"pace": pace})

    def _pace(self, shards: int) -> Pace:
        try:
            pace = pace_of(self.situation.spec, shards)
        except BudgetTooSmallError:  # it is refused, so nobody runs by this pace
            return self.situation.plan.pace if self.situation.plan else Pace()
        return (
            pace.model_copy(update={"messages_per_second": self.granted.rate}) if self.granted.rate else pace
        )

    def _fault(self, plan: Plan, wanted: Changes) -> Halt | None:
        if self.halt is not None:
            return None
        if wanted.unrunnable:
            return Halt(
                "OtherEngine",
                f"the run needs engine {plan.engine} with tzdata {plan.tzdata}, the worker image has "
                f"{self.settings.engine} with {self.settings.tzdata}: install the operator's version of "
                "before, or set another spec.restartNonce to begin a new run",
                stalled=True,
            )
        return fault_of(self.situation, self.settings)

    def _following(self, plan: Plan, wanted: Changes) -> Progress:
        """How far the world is from the plan."""
        shards = int(plan.shards)
        if self.halt is not None:
            stopping = "the workers drain" if self._is_draining() or wanted.apply else ""
            return self._progress(plan, "Stopping" if stopping else "", stopping)
        found = self._progress(plan, "", "")
        if wanted.apply or wanted.delete or wanted.held_back or found.ready < shards:
            starting = "Rolling" if wanted.held_back else "Starting"
            text = f"{found.ready} of {shards} shards are ready"
            return self._progress(plan, starting, text)
        return replace(found, note=_OLD_IMAGE) if wanted.keeps_image else found

    def _is_draining(self) -> bool:
        """Whether workers of a halted run may still write. Deployments do not count pods that terminate."""
        pods = any((d.get("status") or {}).get("replicas") for d in self.situation.seen.deployments)
        lasts = self.settings.waits.lease
        return pods or any(is_held(seen, lasts) for seen in self.situation.leases.values())

    def _progress(self, plan: Plan, reason: str, doing: str) -> Progress:
        ready = sum(
            is_current(deployed, plan) and is_ready(deployed)
            for shard, deployed in self.situation.deployments.items()
            if 0 <= shard < int(plan.shards)
        )
        return Progress(int(plan.shards), ready, reason, doing)

    def _told(
        self,
        plan: Plan | None,
        *,
        halt: Halt | None = None,
        fault: Halt | None = None,
        progress: Progress | None = None,
    ) -> Decision:
        """A decision with no more than the status, where it is time for one, and its events."""
        return self._when_due(self._status(plan, halt=halt, fault=fault, progress=progress))

    def _status(
        self,
        plan: Plan | None,
        *,
        halt: Halt | None = None,
        fault: Halt | None = None,
        progress: Progress | None = None,
    ) -> Status:
        situation, settings = self.situation, self.settings
        progress = progress or Progress()
        throttle = None
        if plan is not None and halt is None:
            achieved = (
                situation.status.rate.achieved if situation.status.rate and not progress.doing else None
            )
            ceilings = settings.ceilings
            throttle = throttle_of(
                situation.spec, plan.pace, self.granted, ceilings, achieved, int(plan.shards)
            )
        conditions = conditions_of(situation, halt, fault, throttle, progress)
        return status_of(situation, plan, _position(situation, plan), conditions, progress, throttle)

    def _when_due(self, after: Status) -> Decision:
        before, waits = self.situation.status, self.settings.waits
        if not is_news(before, after):
            return Decision(after=waits.resync)
        wait = 0.0 if is_urgent(before, after) else due_in(before, self.situation.seen.now, waits.status)
        return Decision(after=wait) if wait > 0 else self._write(after, waits.resync)

    def _write(self, status: Status, after: float) -> Decision:
        """A status goes out, with what it tells of."""
        told = happenings(self.situation.status, status)
        return Decision(status=status.as_json(), events=told, after=after)

    def _again(self, told: Decision, progress: Progress, wanted: Changes) -> float:
        """When to look again: Leases are not watched, so a run is looked at every status interval."""
        waits = self.settings.waits
        looks = waits.status if self.halt is None or progress.doing else waits.resync
        draining = self.halt is not None and progress.doing
        busy = wanted.apply or wanted.delete or wanted.held_back or draining
        return min(told.after, looks, waits.drain_poll if busy else looks)


def _granted(situation: Situation, settings: Settings) -> Grant:
    """The part of the operator's ceilings for this simulation."""
    wanted = wanted_rate(situation.spec, Status())
    if not are_set(settings.ceilings):
        return Grant(wanted)
    if wanted == 0:
        return Grant(None)
    found = Grant(0.0)
    for _ in range(2):  # at the price of the slowest run, then at that of the rate that this one surely has
        price = usd_a_message(situation.spec, settings.ceilings, found.rate)
        own = Claim(situation.uid, wanted, 0.0, price)
        found = grant(own, situation.seen.claims, settings.ceilings)
    return found


def _position(situation: Situation, plan: Plan | None) -> tuple[Segment, ...]:
    """Where the slots of ``plan`` stand: those of a run that only begins, at its start."""
    if plan is None:
        return ()
    if situation.plan is None or situation.plan.run != plan.run or not situation.position:
        return parse_position(plan.segments)
    return situation.position


def _drained(draining: rollout.Drain, plan: Plan) -> str:
    return f"{len(draining.waiting)} of {plan.shards} shards of epoch {plan.epoch} are still draining"
