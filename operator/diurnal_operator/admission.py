"""What cannot run, whoever asks for it: by its own budget, or by what the administrator allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from diurnal_api.planning import BudgetTooSmallError, pace_of
from diurnal_api.spec import Spec
from diurnal_operator.settings import Ceilings, allows


@dataclass(frozen=True)
class Refusal:
    """Why a simulation is not run: a CamelCase reason and words with the remedy."""

    reason: str
    message: str


def refusal_of(spec: Spec, ceilings: Ceilings) -> Refusal | None:
    """The first thing that budget or allowlists refuse, None where they allow everything."""
    try:
        pace_of(spec, max(int(spec.shards), 1))
    except BudgetTooSmallError as error:
        return Refusal("BudgetTooSmall", str(error))
    account = spec.worker.service_account_name
    if not allows(ceilings.service_accounts, account):
        return _refused(
            "ServiceAccountNotAllowed", "worker.serviceAccountName", account, ceilings.service_accounts
        )
    if spec.sink.pubsub is not None and not allows(ceilings.topics, spec.sink.pubsub.topic):
        return _refused("TopicNotAllowed", "sink.pubsub.topic", spec.sink.pubsub.topic, ceilings.topics)
    uri = spec.population.countries.uri
    if uri is not None and not allows(ceilings.buckets, bucket_of(uri)):
        return _refused("BucketNotAllowed", "population.countries.uri", bucket_of(uri), ceilings.buckets)
    return None


def bucket_of(uri: str) -> str:
    """The bucket of a gs:// address."""
    return uri.removeprefix("gs://").partition("/")[0]


def _refused(reason: str, field: str, value: str, allowed: tuple[str, ...]) -> Refusal:
    return Refusal(
        reason,
        f"spec.{field}: {value} is not allowed here; allowed are {', '.join(allowed)}: "
        "use one of those, or ask the administrator of the operator",
    )
