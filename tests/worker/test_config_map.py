"""A dataset in a ConfigMap: the file that the kubelet makes of its key, with errors for whoever made it."""

import hashlib
from pathlib import Path

import pytest

from diurnal_api.plan import DatasetRef
from diurnal_api.population import ConfigMapKey, Countries
from diurnal_worker import sources
from diurnal_worker.dataset import DatasetError, DatasetUnavailableError

CSV = b"alpha3,population,internet_fraction,timezone\nNOR,5639000,0.99,Europe/Oslo\n"
OTHER = CSV.replace(b"5639000", b"5700000")
REF = Countries(config_map=ConfigMapKey(name="tables", key="world.csv")).address
DIGEST = hashlib.sha256(CSV).hexdigest()


def mount(folder: Path, data: bytes) -> str:
    """As the kubelet does it: a link to a file in a folder that is exchanged as a whole."""
    version = folder / f"..{hashlib.sha256(data).hexdigest()[:8]}"
    version.mkdir()
    (version / "world.csv").write_bytes(data)
    link = folder / "world.csv"
    link.unlink(missing_ok=True)
    link.symlink_to(version / "world.csv")
    return str(folder)


def refusal(folder: str, sha256: str | None = None) -> DatasetError:
    with pytest.raises(DatasetError) as error:
        sources.load(REF, sha256=sha256, mounted=folder)
    return error.value


def test_its_table_is_read_and_its_digest_recorded(tmp_path: Path) -> None:
    found = sources.load(REF, mounted=mount(tmp_path, CSV))
    assert found.countries[0].population == 5_639_000
    assert (found.uri, found.generation, found.sha256) == ("configmap:tables/world.csv", None, DIGEST)


def test_what_was_recorded_loads_the_same_again(tmp_path: Path) -> None:
    first = sources.load(REF, mounted=mount(tmp_path, CSV))
    assert sources.load(first.uri, sha256=first.sha256, mounted=str(tmp_path)) == first


def test_one_that_is_missing_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refusal(str(tmp_path))
    assert (type(error), error.reason) == (DatasetUnavailableError, "ConfigMapMissing")
    assert "no ConfigMap tables with the key world.csv" in str(error)
    assert "kubectl create configmap tables --from-file=world.csv=FILE" in str(error)


def test_one_that_was_changed_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    error = refusal(mount(tmp_path, OTHER), DIGEST)
    assert (type(error), error.reason) == (DatasetUnavailableError, "ConfigMapChanged")
    assert "put the old one back" in str(error)
    assert "restartNonce" in str(error)


def test_a_bad_row_is_named_with_the_config_map(tmp_path: Path) -> None:
    text = str(refusal(mount(tmp_path, CSV.replace(b"0.99", b"nan"))))
    assert text.startswith("configmap:tables/world.csv: line 2, column internet_fraction")


def test_drift_is_told_while_it_lasts(tmp_path: Path) -> None:
    read = DatasetRef(uri=REF, sha256=DIGEST)
    folder = mount(tmp_path, CSV)
    assert sources.drift(read, mounted=folder) == ""
    mount(tmp_path, OTHER)
    assert "has another table now" in sources.drift(read, mounted=folder)
    (tmp_path / "world.csv").unlink()
    assert "is gone" in sources.drift(read, mounted=folder)


def test_the_built_in_world_never_drifts() -> None:
    assert sources.drift(DatasetRef(uri="builtin:world-2025", sha256=DIGEST)) == ""
