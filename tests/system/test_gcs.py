"""Datasets from a real Cloud Storage emulator, through the client's usual environment variable."""

import gzip
import hashlib
from collections.abc import Iterator

import pytest
from google.cloud import storage

import fake_gcs
from diurnal_api.plan import DatasetRef
from diurnal_worker import sources
from diurnal_worker.dataset import MAX_BYTES, DatasetError

CSV = b"alpha3,population,internet_fraction,timezone\nNOR,5639000,0.99,Europe/Oslo\n"
OTHER = CSV.replace(b"5639000", b"5700000")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with fake_gcs.running() as url:
        yield url


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[storage.Client]:
    """The client of somebody who uploads; the loader finds the server by the environment alone."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    client = storage.Client()
    yield client
    client.close()


@pytest.fixture
def bucket(client: storage.Client, request: pytest.FixtureRequest) -> storage.Bucket:
    """A bucket of the test's own."""
    digest = hashlib.sha256(request.node.name.encode()).hexdigest()
    return client.create_bucket(f"worlds-{digest[:12]}")


def upload(bucket: storage.Bucket, data: bytes, name: str = "a.csv", **headers: str) -> int:
    blob = bucket.blob(name)
    for header, value in headers.items():
        setattr(blob, header, value)
    blob.upload_from_string(data, "text/csv")
    return int(blob.generation)


def refusal(bucket: storage.Bucket, name: str = "a.csv", **pins: object) -> DatasetError:
    with pytest.raises(DatasetError) as error:
        sources.load(f"gs://{bucket.name}/{name}", **pins)  # type: ignore[arg-type]
    assert str(error.value).startswith(f"gs://{bucket.name}/{name}: ")
    return error.value


def test_the_newest_object_is_read_and_its_generation_and_digest_recorded(bucket: storage.Bucket) -> None:
    generation = upload(bucket, CSV)
    dataset = sources.load(f"gs://{bucket.name}/a.csv")
    assert dataset.uri == f"gs://{bucket.name}/a.csv"
    assert dataset.generation == generation
    assert dataset.sha256 == hashlib.sha256(CSV).hexdigest()
    assert dataset.countries[0].population == 5_639_000


def test_what_was_recorded_loads_the_same_again(bucket: storage.Bucket) -> None:
    upload(bucket, CSV)
    first = sources.load(f"gs://{bucket.name}/a.csv")
    assert sources.load(first.uri, generation=first.generation, sha256=first.sha256) == first


def test_an_injected_client_is_used_and_left_open(client: storage.Client, bucket: storage.Bucket) -> None:
    upload(bucket, CSV)
    for _ in range(2):
        assert sources.load(f"gs://{bucket.name}/a.csv", storage=client).countries[0].alpha3 == "NOR"


def test_another_digest_is_refused(bucket: storage.Bucket) -> None:
    upload(bucket, OTHER)
    error = refusal(bucket, sha256=hashlib.sha256(CSV).hexdigest())
    assert error.reason == "Sha256Mismatch"


def test_a_replaced_object_is_not_read_under_its_old_generation(bucket: storage.Bucket) -> None:
    old, new = upload(bucket, CSV), upload(bucket, OTHER)
    error = refusal(bucket, generation=old)
    assert error.reason == "GenerationGone"
    assert f"generation {old} is gone, the object now has generation {new}" in str(error)


def test_an_old_generation_is_still_read_where_the_bucket_keeps_versions(client: storage.Client) -> None:
    versioned = client.bucket("worlds-versioned")
    versioned.versioning_enabled = True
    versioned.create()
    old = upload(versioned, CSV)
    upload(versioned, OTHER)
    dataset = sources.load("gs://worlds-versioned/a.csv", generation=old)
    assert (dataset.generation, dataset.countries[0].population) == (old, 5_639_000)


def test_a_missing_object_and_a_missing_bucket_are_told_apart(bucket: storage.Bucket) -> None:
    assert refusal(bucket, "none.csv").reason == "DatasetMissing"
    with pytest.raises(DatasetError, match="there is no such bucket; create it") as error:
        sources.load("gs://worlds-nowhere/a.csv")
    assert error.value.reason == "BucketMissing"


def test_a_replaced_object_is_noticed_by_its_metadata(bucket: storage.Bucket) -> None:
    upload(bucket, CSV)
    dataset = sources.load(f"gs://{bucket.name}/a.csv")
    read = DatasetRef(uri=dataset.uri, generation=dataset.generation, sha256=dataset.sha256)
    assert sources.drift(read) == ""
    new = upload(bucket, OTHER)
    assert f"has generation {new} now" in sources.drift(read)
    bucket.blob("a.csv").delete()
    assert "a.csv is gone" in sources.drift(read)


@pytest.mark.parametrize("headers", [{}, {"content_encoding": "gzip"}])
def test_gzip_is_read_as_stored_however_it_is_labelled(
    bucket: storage.Bucket, headers: dict[str, str]
) -> None:
    stored = gzip.compress(CSV, mtime=0)
    upload(bucket, stored, "a.csv.gz", **headers)
    digest = hashlib.sha256(stored).hexdigest()
    assert sources.load(f"gs://{bucket.name}/a.csv.gz", sha256=digest).countries[0].alpha3 == "NOR"


def test_a_gzip_bomb_is_refused(bucket: storage.Bucket) -> None:
    upload(bucket, gzip.compress(bytes(16 * MAX_BYTES)), "a.csv.gz")
    assert "more than 4,194,304 bytes once decompressed" in str(refusal(bucket, "a.csv.gz"))


def test_a_large_object_is_refused(bucket: storage.Bucket) -> None:
    upload(bucket, bytes(MAX_BYTES + 1))
    assert "the object is larger than 4,194,304 bytes" in str(refusal(bucket))


def test_a_bad_row_is_named_with_the_object(bucket: storage.Bucket) -> None:
    upload(bucket, CSV.replace(b"0.99", b"nan"))
    assert "line 2, column internet_fraction: 'nan' is no plain decimal number" in str(refusal(bucket))
