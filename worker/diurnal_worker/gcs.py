"""One object of Cloud Storage, read whole, within a limit, at one generation.

An object can be replaced while a run lasts, so the generation that the metadata names is the one that is
downloaded and recorded. Foreign exceptions end here: gcs_problems.py turns each into what a person would do
about it. Called by sources.py, only for gs:// addresses (the client is slow to import).
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from diurnal_worker.dataset import DatasetError, DatasetUnavailableError
from diurnal_worker.gcs_problems import FOREIGN_ERRORS, missing, problem
from diurnal_worker.quoting import quoted

PATIENCE = 60.0
"""Seconds for which a busy or unreachable service is asked again, by the client's own backoff."""

ATTEMPT = 20.0
"""Seconds after which one silent request is given up."""

_MAX_NAME_BYTES = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_UNSAFE = re.compile(r"[?#*\[\]\x00-\x1f\x7f]|(^|/)\.\.?(/|$)")


@dataclass(frozen=True, slots=True)
class Address:
    """A gs:// address: bucket and object name."""

    bucket: str
    name: str

    def __str__(self) -> str:
        """Return it as it is written in a simulation."""
        return f"gs://{self.bucket}/{self.name}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object's bytes as stored, and the generation that they are."""

    data: bytes
    generation: int


def parse_gcs_uri(uri: str) -> Address:
    """Return bucket and object of `gs://bucket/object`.

    Object names that read as something else (`..`, `?`, `#`, wildcards, control characters) are refused.
    Raises DatasetError. Names: https://cloud.google.com/storage/docs/buckets#naming and objects#naming.
    """
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not _BUCKET.fullmatch(bucket):
        raise DatasetError(f"{quoted(uri)} names no bucket; write gs://bucket/object")
    if not name or name.endswith("/"):
        raise DatasetError(f"{quoted(uri)} names no object; write gs://bucket/object")
    if _UNSAFE.search(name) or not name.isprintable() or len(name.encode()) > _MAX_NAME_BYTES:
        raise DatasetError(
            f"{quoted(uri)}: an object name of a dataset has no '..', '?', '#', wildcard or control character"
        )
    return Address(bucket, name)


def fetch(
    address: Address,
    *,
    generation: int | None,
    limit: int,
    client: storage.Client | None = None,
    patience: float = PATIENCE,
) -> Fetched:
    """Return the object's stored bytes (not decompressed), at `generation` or else the newest one.

    Reads at most `limit` bytes. Busy services are asked again for `patience` seconds.
    Raises DatasetError, or DatasetUnavailableError where trying again later may help.
    """
    retry = DEFAULT_RETRY.with_timeout(patience)
    with _bucket(address, client) as bucket:
        try:
            blob = bucket.blob(address.name, generation=generation)
            blob.reload(retry=retry, timeout=ATTEMPT, if_generation_match=generation)
            found = int(blob.generation)
            # A new handle: a loaded one downloads from its media link, which need not name a generation.
            exact = bucket.blob(address.name, generation=found)
            return Fetched(_download(address, exact, blob.size, limit, retry), found)
        except FOREIGN_ERRORS as error:
            gone = missing(str(address), error, generation, lambda: _look_around(bucket, address.name))
            raise gone or problem(str(address), error) from None


def newest(address: Address, *, client: storage.Client | None = None) -> int | None:
    """Return the generation that the object has now, None where there is none; one request for metadata.

    Raises DatasetError, or DatasetUnavailableError where trying again later may help.
    """
    with _bucket(address, client) as bucket:
        try:
            blob = bucket.get_blob(address.name, retry=DEFAULT_RETRY.with_timeout(PATIENCE), timeout=ATTEMPT)
        except FOREIGN_ERRORS as error:
            raise problem(str(address), error) from None
        return None if blob is None else int(blob.generation)


@contextmanager
def _bucket(address: Address, client: storage.Client | None) -> Iterator[Any]:
    """Hand out the bucket, by the given client or by one that lives as long as this."""
    # Else the client asks for the bucket's metadata in a thread of its own, for traces that nobody takes.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    try:
        used = client or storage.Client()
    except FOREIGN_ERRORS as error:
        raise problem(str(address), error) from None
    try:
        yield used.bucket(address.bucket)
    finally:
        if client is None:
            used.close()


def _download(address: Address, blob: Any, size: int, limit: int, retry: Any) -> bytes:
    if size > limit:
        raise _too_large(address, limit)
    generation = blob.generation
    sink = _Bounded(address, limit)
    blob.download_to_file(
        sink,
        raw_download=True,
        if_generation_match=generation,
        timeout=ATTEMPT,
        retry=retry,
        checksum="crc32c",
    )
    # The answer's own header overwrites the handle's generation.
    if blob.generation not in (None, generation):
        raise DatasetUnavailableError(
            f"{address}: generation {generation} was asked for, but {blob.generation} came; try again",
            "DatasetChanged",
        )
    data = sink.getvalue()
    if len(data) != size:
        raise DatasetUnavailableError(
            f"{address}: the download ended after {len(data):,} of {size:,} bytes; try again",
            "DatasetTruncated",
        )
    return data


class _Bounded(io.BytesIO):
    """Memory for a download that may not hold more than the metadata promised to need."""

    def __init__(self, address: Address, limit: int) -> None:
        super().__init__()
        self._address, self._limit = address, limit

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._limit:
            raise _too_large(self._address, self._limit)
        return super().write(data)


def _too_large(address: Address, limit: int) -> DatasetError:
    return DatasetError(f"{address}: the object is larger than {limit:,} bytes, the limit of a dataset")


def _look_around(bucket: Any, name: str) -> tuple[bool | None, int | None]:
    """Tell whether the bucket exists (None: unknown), and which generation the object has now, if any."""
    retry = DEFAULT_RETRY.with_timeout(5.0)
    try:
        blob = bucket.get_blob(name, retry=retry, timeout=5.0)
        return (True, int(blob.generation)) if blob else (bucket.exists(retry=retry, timeout=5.0), None)
    except FOREIGN_ERRORS:
        return None, None
