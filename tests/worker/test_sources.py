"""Datasets from the package, from files, and from a Cloud Storage that refuses or fails.

The failures are those of a small HTTP server of our own that speaks the part of the JSON API that is needed,
because no emulator answers 403, 503 or half an object; tests/system/test_gcs.py reads from a real emulator.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import google_crc32c
import pytest
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from diurnal_worker import gcs, sources
from diurnal_worker.dataset import MAX_BYTES, DatasetError, DatasetUnavailableError

CSV = b"alpha3,population,internet_fraction,timezone\nNOR,5639000,0.99,Europe/Oslo\n"


def refusal(ref: str, **pins: object) -> DatasetError:
    with pytest.raises(DatasetError) as error:
        sources.load(ref, **pins)  # type: ignore[arg-type]
    assert str(error.value).isprintable()
    return error.value


# The built-in world.


def test_the_builtin_world_is_the_compiled_facts() -> None:
    world = sources.load("world-2025")
    assert len(world.countries) == 228
    assert sum(country.population for country in world.countries) == 8_228_509_526
    users = sum(country.internet_users for country in world.countries)
    assert float(users) == pytest.approx(0.657 * 8_231_519_227, rel=1e-3)
    assert sum(len(country.zones) > 1 for country in world.countries) == 29


def test_the_builtin_world_has_the_countries_that_were_checked_by_hand() -> None:
    world = {country.alpha3: country for country in sources.load("world-2025").countries}
    assert world["IND"].zones == (("Asia/Kolkata", Fraction(1)),)
    assert dict(world["CHN"].zones)["Asia/Urumqi"] == pytest.approx(0.016, abs=0.001)
    assert world["PRK"].internet_users == 0
    assert not {"ASM", "BES", "ESH", "GUF", "GLP", "IMN", "MTQ", "REU", "MYT"} & set(world)


def test_a_dataset_is_found_again_by_its_own_address(tmp_path: Path) -> None:
    path = tmp_path / "countries.csv"
    path.write_bytes(CSV)
    for ref in ("world-2025", str(path)):
        dataset = sources.load(ref)
        assert sources.load(dataset.uri, sha256=dataset.sha256) == dataset
        assert dataset.generation is None


def test_an_unknown_builtin_is_refused_with_those_there_are() -> None:
    assert str(refusal("builtin:world-1999")) == (
        "there is no built-in dataset 'world-1999'; there is world-2025"
    )


def test_loading_from_here_needs_no_cloud_library() -> None:
    code = (
        "import sys; from diurnal_worker import sources; sources.load('world-2025');"
        "sys.exit('google.cloud.storage' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Files.


def test_a_file_is_read_and_its_digest_checked(tmp_path: Path) -> None:
    path = tmp_path / "countries.csv"
    path.write_bytes(CSV)
    assert sources.load(str(path), sha256=hashlib.sha256(CSV).hexdigest()).countries[0].alpha3 == "NOR"
    assert refusal(str(path), sha256="0" * 64).reason == "Sha256Mismatch"


def test_a_missing_file_is_refused_with_what_could_be_named() -> None:
    error = refusal("nowhere.csv")
    assert str(error) == (
        "nowhere.csv: there is no such file; "
        "name a CSV file, a gs:// object, or a built-in dataset (world-2025)"
    )
    assert error.reason == "DatasetUnreadable"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert str(refusal(str(tmp_path))).endswith(": is a folder; name the CSV file in it")


def test_a_pipe_and_a_device_are_refused_before_they_block_or_flood(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert str(refusal(str(path))).endswith(": is no regular file; name a CSV file")


def test_a_file_over_the_limit_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "sparse.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert str(refusal(str(path))).endswith("is larger than 4,194,304 bytes, the limit of a dataset")


def test_a_file_that_may_not_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert str(refusal("a.csv")) == "a.csv: may not be read by this user; change its permissions"


def test_a_name_that_no_file_can_have_is_refused_by_the_systems_words() -> None:
    assert str(refusal("x" * 300)).endswith(": cannot be read: File name too long")


def test_a_path_with_a_nul_is_refused() -> None:
    assert str(refusal("a\0b")) == "'a\\x00b': is no file name: embedded null byte"


def test_a_generation_of_a_file_is_refused() -> None:
    assert str(refusal("countries.csv", generation=3)) == (
        "countries.csv: only a gs:// object has a generation; leave generation out"
    )


# Addresses.


def test_an_address_has_bucket_and_object() -> None:
    address = gcs.parse_gcs_uri("gs://my-bucket/a/b.csv")
    assert (address.bucket, address.name, str(address)) == ("my-bucket", "a/b.csv", "gs://my-bucket/a/b.csv")


@pytest.mark.parametrize(
    "uri", ["gs://", "gs:///a", "gs://B/a", "gs://a b/c", "gs://ab/../c", "s3://bucket/a"]
)
def test_an_address_without_a_bucket_is_refused(uri: str) -> None:
    with pytest.raises(DatasetError, match="names no bucket; write gs://bucket/object"):
        gcs.parse_gcs_uri(uri)


@pytest.mark.parametrize("uri", ["gs://bucket", "gs://bucket/", "gs://bucket/folder/"])
def test_an_address_without_an_object_is_refused(uri: str) -> None:
    with pytest.raises(DatasetError, match="names no object; write gs://bucket/object"):
        gcs.parse_gcs_uri(uri)


@pytest.mark.parametrize(
    "name", ["../a", "a/../b", "a?b", "a#b", "a*", "a\nb", "a\x7f", "a\u202eb", "a" * 1025]
)
def test_an_object_name_that_reads_as_something_else_is_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="an object name of a dataset has no") as error:
        gcs.parse_gcs_uri(f"gs://bucket/{name}")
    assert str(error.value).isprintable()


# A Cloud Storage that refuses or fails.


class Token(Credentials):
    """Credentials that renew themselves without asking anybody, as long as they are not revoked."""

    revoked = False

    def refresh(self, request: object) -> None:
        if self.revoked:
            raise RefreshError("invalid_grant: expired or revoked")  # type: ignore[no-untyped-call]
        self.token = "token"


@dataclass
class Storage:
    """One object under /storage/v1/b/worlds/o/a.csv, and what goes wrong with it."""

    content: bytes = CSV
    generation: int = 11
    size: int | None = None
    crc32c: bytes | None = None
    status: int = 200
    message: str = ""
    refusals_left: int = 10**9
    then: int | None = None
    sent: int | None = None
    replaced_by_download: bool = False
    generation_that_comes: int | None = None
    requests: list[str] = field(default_factory=list)
    port: int = 0

    def client(self) -> storage.Client:
        return storage.Client(
            project="none",
            credentials=Token(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": f"http://127.0.0.1:{self.port}"},
        )

    def answer(self, path: str) -> tuple[int, bytes, int]:
        """Status, body, and the length that the header claims."""
        self.requests.append(path)
        if self.status != 200 and self.refusals_left > 0:
            self.refusals_left -= 1
            return self._error(self.status, self.message)
        if self.then:
            return self._error(self.then, "")
        query = parse_qs(urlsplit(path).query)
        if query.get("ifGenerationMatch", [str(self.generation)]) != [str(self.generation)]:
            return self._error(412, "At least one of the pre-conditions you specified did not hold.")
        if "/download/" in path or query.get("alt") == ["media"]:
            body = self.content[: self.sent]
            return 200, body, len(self.content)
        metadata = self.metadata()
        self.generation += self.replaced_by_download
        return 200, metadata, len(metadata)

    def metadata(self) -> bytes:
        return json.dumps(
            {
                "bucket": "worlds",
                "name": "a.csv",
                "generation": str(self.generation),
                "size": str(len(self.content) if self.size is None else self.size),
            }
        ).encode()

    def _error(self, status: int, message: str) -> tuple[int, bytes, int]:
        body = json.dumps({"error": {"code": status, "message": message}}).encode()
        return status, body, len(body)

    def checksum(self) -> str:
        digest = self.crc32c or google_crc32c.value(self.content).to_bytes(4)
        return base64.b64encode(digest).decode()


@pytest.fixture
def cloud() -> Iterator[Storage]:
    state = Storage()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, length = state.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(length))
            if status == 200 and "/download/" in self.path:
                if state.generation_that_comes:
                    self.send_header("X-Goog-Generation", str(state.generation_that_comes))
                self.send_header("X-Goog-Hash", f"crc32c={state.checksum()}")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(cloud: Storage, generation: int | None = None) -> gcs.Fetched:
    client = cloud.client()
    try:
        return gcs.fetch(
            gcs.Address("worlds", "a.csv"),
            generation=generation,
            limit=MAX_BYTES,
            client=client,
            patience=0.3,
        )
    finally:
        client.close()


def failure(cloud: Storage, generation: int | None = None) -> DatasetError:
    with pytest.raises(DatasetError) as error:
        fetch(cloud, generation)
    assert str(error.value).isprintable()
    assert str(error.value).startswith("gs://worlds/a.csv: ")
    return error.value


def test_an_object_is_read_with_its_generation(cloud: Storage) -> None:
    assert fetch(cloud) == gcs.Fetched(CSV, 11)


def test_the_download_is_pinned_to_the_generation_of_the_metadata(cloud: Storage) -> None:
    fetch(cloud)
    query = parse_qs(urlsplit(cloud.requests[-1]).query)
    assert (query["generation"], query["ifGenerationMatch"]) == (["11"], ["11"])


def test_a_pinned_generation_is_asked_for_in_every_request(cloud: Storage) -> None:
    fetch(cloud, generation=11)
    assert all("generation=11" in path and "ifGenerationMatch=11" in path for path in cloud.requests)


def test_a_missing_object_in_a_bucket_that_may_not_be_looked_at_is_called_missing(cloud: Storage) -> None:
    cloud.status, cloud.refusals_left, cloud.then = 404, 1, 403
    assert failure(cloud).reason == "DatasetMissing"


@pytest.mark.parametrize("status", [401, 403])
def test_a_forbidden_object_names_the_role(cloud: Storage, status: int) -> None:
    cloud.status = status
    error = failure(cloud)
    assert error.reason == "DatasetForbidden"
    assert "grant its service account roles/storage.objectViewer on the bucket" in str(error)


def test_a_missing_bucket_is_told_from_the_servers_words(cloud: Storage) -> None:
    cloud.status, cloud.message = 404, "The specified bucket does not exist."
    error = failure(cloud)
    assert (error.reason, len(cloud.requests)) == ("BucketMissing", 1)
    assert "there is no such bucket; create it, or correct the name" in str(error)


def test_a_generation_that_is_gone_names_the_present_one(cloud: Storage) -> None:
    error = failure(cloud, generation=3)
    assert error.reason == "GenerationGone"
    assert "generation 3 is gone, the object now has generation 11; " in str(error)
    assert not isinstance(error, DatasetUnavailableError)


def test_an_object_replaced_between_metadata_and_download_is_worth_another_try(cloud: Storage) -> None:
    cloud.replaced_by_download = True
    error = failure(cloud)
    assert isinstance(error, DatasetUnavailableError)
    assert error.reason == "DatasetChanged"


def test_another_generation_than_the_one_asked_for_is_never_taken(cloud: Storage) -> None:
    cloud.generation_that_comes = 12
    assert str(failure(cloud)).endswith("generation 11 was asked for, but 12 came; try again")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_is_asked_again_and_given_up_in_bounded_time(cloud: Storage, status: int) -> None:
    cloud.status = status
    error = failure(cloud)
    assert isinstance(error, DatasetUnavailableError)
    assert error.reason == "DatasetUnavailable"
    assert "Cloud Storage does not answer as it should" in str(error)


def test_a_service_that_was_busy_once_is_read_all_the_same(
    cloud: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.001)
    monkeypatch.setattr("diurnal_worker.gcs.DEFAULT_RETRY", quick)
    cloud.status, cloud.refusals_left = 503, 3
    assert fetch(cloud).data == CSV
    assert cloud.refusals_left == 0


def test_a_truncated_download_is_never_taken_for_the_object(cloud: Storage) -> None:
    cloud.sent = len(CSV) - 20
    error = failure(cloud)
    assert isinstance(error, DatasetUnavailableError)
    assert error.reason == "DatasetTruncated"


def test_a_download_shorter_than_the_metadata_said_is_refused(cloud: Storage) -> None:
    cloud.size = len(CSV) + 1
    error = failure(cloud)
    assert f"the download ended after {len(CSV)} of {len(CSV) + 1} bytes; try again" in str(error)


def test_a_wrong_checksum_is_refused(cloud: Storage) -> None:
    cloud.crc32c = b"\0\0\0\0"
    error = failure(cloud)
    assert isinstance(error, DatasetUnavailableError)
    assert "the download's checksum is wrong; try again" in str(error)


def test_a_large_object_is_refused_before_it_is_downloaded(cloud: Storage) -> None:
    cloud.size = MAX_BYTES + 1
    assert str(failure(cloud)).endswith("the object is larger than 4,194,304 bytes, the limit of a dataset")
    assert len(cloud.requests) == 1


def test_an_object_that_is_larger_than_it_said_is_stopped_while_it_comes(cloud: Storage) -> None:
    cloud.size, cloud.content = 10, bytes(2 * MAX_BYTES)
    assert str(failure(cloud)).endswith("the object is larger than 4,194,304 bytes, the limit of a dataset")


def test_a_service_that_is_not_there_is_worth_another_try() -> None:
    client = storage.Client(
        project="none",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": "http://127.0.0.1:1"},
    )
    with pytest.raises(DatasetUnavailableError, match="does not answer as it should"):
        gcs.fetch(gcs.Address("worlds", "a.csv"), generation=None, limit=1, client=client, patience=0.2)
    client.close()


def test_revoked_credentials_name_the_command_that_renews_them(
    cloud: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Token, "revoked", True)
    error = failure(cloud)
    assert error.reason == "CredentialsRefused"
    assert "invalid_grant" in str(error)
    assert "run `gcloud auth application-default login`" in str(error)


def test_no_request_is_made_but_those_for_the_object(cloud: Storage) -> None:
    fetch(cloud)
    assert len(cloud.requests) == 2
    assert all("/o/a.csv" in path for path in cloud.requests)


def test_missing_credentials_name_the_command_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_credentials() -> storage.Client:
        raise DefaultCredentialsError("none")  # type: ignore[no-untyped-call]

    monkeypatch.setattr("google.cloud.storage.Client", no_credentials)
    error = refusal("gs://worlds/a.csv")
    assert error.reason == "CredentialsMissing"
    assert "run `gcloud auth application-default login`" in str(error)
