"""What Cloud Storage's refusals mean to the person whose simulation names the object.

Each foreign exception becomes one DatasetError: final where somebody has to change something,
DatasetUnavailableError where the same request may work later. Status codes:
https://cloud.google.com/storage/docs/json_api/v1/status-codes.
"""

from collections.abc import Callable

import urllib3.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from requests.exceptions import RequestException

from diurnal_worker.dataset import DatasetError, DatasetUnavailableError
from diurnal_worker.quoting import quoted

FOREIGN_ERRORS = (
    api.GoogleAPIError,
    auth.GoogleAuthError,
    DataCorruption,
    InvalidResponse,
    RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)
"""Everything that the client's stack raises by design."""

_NOT_FOUND, _PRECONDITION_FAILED = 404, 412
_FORBIDDEN = (401, 403)


def missing(
    uri: str,
    error: BaseException,
    generation: int | None,
    look_around: Callable[[], tuple[bool | None, int | None]],
) -> DatasetError | None:
    """Return what is missing where `error` says that something is, else None.

    `look_around` says whether the bucket exists (None: unknown) and which generation the object has now; it
    is called only when it is needed, as it costs requests.
    """
    status = status_of(error)
    if status not in (_NOT_FOUND, _PRECONDITION_FAILED):
        return None
    if "bucket does not exist" in str(error).lower():
        return _no_bucket(uri)
    bucket_exists, present = look_around()
    if present is not None:
        return _other_generation(uri, generation, present)
    if bucket_exists is False:
        return _no_bucket(uri)
    return DatasetError(
        f"{uri}: there is no such object in the bucket; upload it, or correct the name", "DatasetMissing"
    )


def _no_bucket(uri: str) -> DatasetError:
    return DatasetError(f"{uri}: there is no such bucket; create it, or correct the name", "BucketMissing")


def _other_generation(uri: str, generation: int | None, present: int) -> DatasetError:
    if generation is None:
        return DatasetUnavailableError(
            f"{uri}: the object was replaced while it was read; try again", "DatasetChanged"
        )
    return DatasetError(
        f"{uri}: generation {generation} is gone, the object now has generation {present}; "
        f"restore the old one, or begin a new run with generation: {present}",
        "GenerationGone",
    )


def problem(uri: str, error: BaseException) -> DatasetError:
    """Return the error for people that a foreign one means; the URI must be safe to show."""
    if status_of(error) in _FORBIDDEN:
        return DatasetError(
            f"{uri}: this identity may not read the object (or it does not exist); grant its service account "
            "roles/storage.objectViewer on the bucket",
            "DatasetForbidden",
        )
    if isinstance(error, auth.RefreshError):
        return DatasetUnavailableError(
            f"{uri}: Google does not renew the credentials ({_short(error)}); run `gcloud auth "
            "application-default login`, or check the pod's service account",
            "CredentialsRefused",
        )
    if isinstance(error, auth.DefaultCredentialsError):
        return DatasetError(
            f"{uri}: there are no Google credentials here; run `gcloud auth application-default login`, "
            "or give the pod a service account",
            "CredentialsMissing",
        )
    if isinstance(error, DataCorruption):
        return DatasetUnavailableError(
            f"{uri}: the download's checksum is wrong; try again", "DatasetTruncated"
        )
    return _unavailable(uri, error)


def _unavailable(uri: str, error: BaseException) -> DatasetError:
    cause = error.cause if isinstance(error, api.RetryError) and error.cause else error
    if isinstance(cause, urllib3.exceptions.ProtocolError | RequestException) and "ncomplete" in str(cause):
        return DatasetUnavailableError(
            f"{uri}: the download ended early again and again; try later", "DatasetTruncated"
        )
    return DatasetUnavailableError(
        f"{uri}: Cloud Storage does not answer as it should ({_short(cause)}); try later",
        "DatasetUnavailable",
    )


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that a foreign error carries, if any."""
    code = getattr(error, "code", None)
    return int(code) if isinstance(error, api.GoogleAPICallError) and code is not None else None


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {quoted(str(error))}"
