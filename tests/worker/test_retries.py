"""Which errors pass by themselves, what the others ask of a person, and how long to wait."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diurnal_worker.sinks.retries import LONGEST_WAIT, Failure, backoff, classify, explain

TOPIC = "projects/shop/topics/user-interactions"

RETRIED_BY_THE_LIBRARY = {
    "ABORTED",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "UNKNOWN",
}
"""What google-cloud-pubsub retries a Publish for
(https://cloud.google.com/pubsub/docs/retry-requests)."""


@pytest.mark.parametrize("code", [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_what_the_library_retries_is_transient_and_nothing_else(code: str) -> None:
    assert classify(Failure(code, "")).permanent == (code not in RETRIED_BY_THE_LIBRARY)


@pytest.mark.parametrize(
    ("failure", "reason", "remedy"),
    [
        (Failure("NOT_FOUND", "Resource not found"), "TopicNotFound", "gcloud pubsub topics create"),
        (Failure("PERMISSION_DENIED", "denied"), "PermissionDenied", "roles/pubsub.publisher"),
        (Failure("UNAUTHENTICATED", ""), "CredentialsFailed", "Workload Identity"),
        (Failure("INVALID_ARGUMENT", "Message failed schema validation"), "SchemaMismatch", "schema"),
        (Failure("INVALID_ARGUMENT", "Could not parse message"), "SchemaMismatch", "UserInteractionSchema"),
        (Failure("INVALID_ARGUMENT", "Topic name is malformed"), "RequestRefused", "service's words"),
        (
            Failure("UNAVAILABLE", "Getting metadata from plugin failed with error: invalid_grant: expired"),
            "CredentialsFailed",
            "gcloud auth application-default login",
        ),
        (
            Failure("RESOURCE_EXHAUSTED", "Received message larger than max (11 vs. 10)"),
            "RequestTooLarge",
            "maxBatchMessages",
        ),
    ],
)
def test_a_permanent_error_has_a_reason_and_names_topic_and_remedy(
    failure: Failure, reason: str, remedy: str
) -> None:
    verdict = classify(failure)
    message = explain(TOPIC, failure, verdict)
    assert (verdict.permanent, verdict.reason) == (True, reason)
    assert TOPIC in message
    assert remedy in message
    assert failure.code in message


def test_a_token_server_that_is_away_for_a_moment_is_transient() -> None:
    failure = Failure("UNAVAILABLE", "Getting metadata from plugin failed with error: connection reset")
    assert not classify(failure).permanent


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_between_half_and_all_of_a_doubling_that_is_capped(failures: int, draw: float) -> None:
    whole = min(LONGEST_WAIT, 0.1 * 2.0 ** min(failures - 1, 60))
    assert whole / 2 <= backoff(failures, draw) <= whole


def test_want_of_quota_waits_ten_times_longer_at_first() -> None:
    assert backoff(1, 0.5, "QuotaExhausted") == pytest.approx(10 * backoff(1, 0.5, "Unavailable"))
