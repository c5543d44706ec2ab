"""What an error of Pub/Sub means and how long to wait after it. Pure: randomness is a parameter.

Codes are gRPC's status names. Which ones pass by themselves is documented under "Error codes" of
Pub/Sub (https://cloud.google.com/pubsub/docs/reference/error-codes); what is permanent names the
remedy, because a person has to do something.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_WAIT = 0.1
FIRST_WAIT_FOR_QUOTA = 1.0
LONGEST_WAIT = 10.0
OVERLOAD = frozenset({"QuotaExhausted", "DeadlineExceeded"})
"""Failures of a service that has more to do than it can: fewer requests at once, not only later ones."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended. code: the gRPC status name. details: the service's own words."""

    code: str
    details: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means. reason: CamelCase. remedy: empty where waiting is the remedy."""

    reason: str
    permanent: bool
    remedy: str = ""


_TRANSIENT = {
    "UNAVAILABLE": "Unavailable",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "RESOURCE_EXHAUSTED": "QuotaExhausted",
    "ABORTED": "Aborted",
    "INTERNAL": "InternalError",
    "CANCELLED": "Cancelled",
    "UNKNOWN": "UnknownError",
}
_PERMANENT = {
    "NOT_FOUND": ("TopicNotFound", "create it (gcloud pubsub topics create TOPIC), or correct its name"),
    "PERMISSION_DENIED": (
        "PermissionDenied",
        (
            "grant roles/pubsub.publisher on the topic to the identity that publishes, and see that the "
            "Pub/Sub API is enabled in the project"
        ),
    ),
    "UNAUTHENTICATED": (
        "CredentialsFailed",
        (
            "check the application default credentials (gcloud auth application-default login) or the "
            "pod's Workload Identity"
        ),
    ),
    "FAILED_PRECONDITION": (
        "TopicNotUsable",
        "see that the topic's encryption key and its message storage policy allow publishing",
    ),
    "UNIMPLEMENTED": ("NotPubsub", "check the address: what answered there is not Pub/Sub"),
}
_SCHEMA = (
    "SchemaMismatch",
    (
        "the schema attached to the topic refuses these messages: attach the UserInteractionSchema with the "
        "encoding of spec.events.encoding, or use a topic without a schema"
    ),
)
_UNKNOWN = ("RequestRefused", "this is an error that trying again does not cure; see the service's words")
_TOO_LARGE = ("RequestTooLarge", "send smaller batches (spec.sink.pubsub.maxBatchMessages)")
_BAD_CREDENTIALS = ("invalid_grant", "invalid_client", "account not found", "reauthentication is needed")


def classify(failure: Failure) -> Verdict:
    """Whether a failure passes by itself, under which name it is counted, and what would cure it."""
    said = failure.details.lower()
    if "larger than max" in said:
        return Verdict(_TOO_LARGE[0], permanent=True, remedy=_TOO_LARGE[1])
    if failure.code == "INVALID_ARGUMENT":
        reason, remedy = _SCHEMA if _names_schema(said) else _UNKNOWN
        return Verdict(reason, permanent=True, remedy=remedy)
    if "metadata from plugin failed" in said:
        return _credentials(said)
    if failure.code in _TRANSIENT:
        return Verdict(_TRANSIENT[failure.code], permanent=False)
    reason, remedy = _PERMANENT.get(failure.code, _UNKNOWN)
    return Verdict(reason, permanent=True, remedy=remedy)


def backoff(failures: int, draw: float, reason: str = "") -> float:
    """Seconds to wait after the `failures`-th failure in a row (1 is the first).

    Doubles up to LONGEST_WAIT, with "equal jitter": half of it fixed, half by `draw`, uniform in
    [0, 1), so that what failed together does not come back together. Want of quota waits longer.
    """
    first = FIRST_WAIT_FOR_QUOTA if reason == "QuotaExhausted" else FIRST_WAIT
    whole = min(LONGEST_WAIT, first * 2.0 ** min(failures - 1, 30))
    return whole * (0.5 + 0.5 * draw)


def explain(topic: str, failure: Failure, verdict: Verdict) -> str:
    """One message for people: which topic, what happened, what to do, and the service's words."""
    said = " ".join(failure.details.split()) or "nothing more"
    remedy = verdict.remedy or "try again later, and see that the address can be reached"
    return f"cannot publish to {topic}: {verdict.reason}; {remedy}. Pub/Sub said: {failure.code}, {said}"


def _names_schema(said: str) -> bool:
    """The service speaks of the schema; the emulator only says "Could not parse message"."""
    return any(words in said for words in ("schema", "avro", "revision", "could not parse message"))


def _credentials(said: str) -> Verdict:
    """The client could not get a token: gRPC reports it as UNAVAILABLE, whatever the cause."""
    if any(words in said for words in _BAD_CREDENTIALS):
        return Verdict("CredentialsFailed", permanent=True, remedy=_PERMANENT["UNAUTHENTICATED"][1])
    return Verdict("CredentialsUnavailable", permanent=False)
