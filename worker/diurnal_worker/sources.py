"""Where a dataset's bytes come from: the package itself, a file, a ConfigMap, or an object in Cloud Storage.

The only I/O around datasets; dataset.py judges the bytes. Every source is bounded before it is read, so
neither a huge object nor /dev/zero can fill the memory. Cloud Storage is imported only when an address asks
for it.
"""

import hashlib
import os
import stat
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import diurnal_worker
from diurnal_api.population import CONFIG_MAP, COUNTRIES_FOLDER
from diurnal_worker.dataset import (
    MAX_BYTES,
    Dataset,
    DatasetError,
    DatasetUnavailableError,
    parse_dataset,
    shown_uri,
)
from diurnal_worker.quoting import quoted

if TYPE_CHECKING:
    from google.cloud.storage import Client

    from diurnal_api.plan import DatasetRef

BUILTIN = "builtin:"
GCS = "gs://"
_NEW_RUN = "set another spec.restartNonce to begin a new run with what is there"
_WORLDS = {"world-2025": "world-2025.csv"}


def load(
    ref: str,
    *,
    generation: int | None = None,
    sha256: str | None = None,
    storage: "Client | None" = None,
    mounted: str = COUNTRIES_FOLDER,
) -> Dataset:
    """Return the dataset at `ref`.

    `ref` is a built-in name (`world-2025`, `builtin:world-2025`), a path, a gs:// address, or
    `configmap:NAME/KEY`, which is read as the file KEY in the folder `mounted`.

    `generation` pins a Cloud Storage object (else the newest is read, and recorded in the dataset);
    `sha256` is what the digest of the stored bytes must be. `storage` is a Cloud Storage client; without
    one, it is made when needed from STORAGE_EMULATOR_HOST or the application default credentials.
    `load(dataset.uri)` reads the same again. Raises DatasetError, or DatasetUnavailableError where trying
    again later may help.
    """
    if ref.startswith(GCS):
        return _from_gcs(ref, generation, sha256, storage)
    if generation is not None:
        raise DatasetError(f"{shown_uri(ref)}: only a gs:// object has a generation; leave generation out")
    if ref.startswith(BUILTIN) or ref in _WORLDS:
        return _builtin(ref.removeprefix(BUILTIN), sha256)
    if ref.startswith(CONFIG_MAP):
        return _from_config_map(ref, sha256, mounted)
    return parse_dataset(_read_file(ref), ref, sha256=sha256)


def drift(read: "DatasetRef", *, storage: "Client | None" = None, mounted: str = COUNTRIES_FOLDER) -> str:
    """Say how what lies at the address of a dataset differs from what was read; empty where it does not.

    Raises DatasetError where that cannot be told.
    """
    if read.uri.startswith(GCS):
        return _drift_in_gcs(read, storage)
    if read.uri.startswith(CONFIG_MAP):
        return _drift_of_config_map(read, mounted)
    return ""


def _builtin(name: str, sha256: str | None) -> Dataset:
    if name not in _WORLDS:
        raise DatasetError(f"there is no built-in dataset {quoted(name)}; there is {', '.join(_WORLDS)}")
    data = files(diurnal_worker).joinpath("data", _WORLDS[name]).read_bytes()
    return parse_dataset(data, BUILTIN + name, sha256=sha256)


def _read_file(path: str) -> bytes:
    """Read a regular file of at most MAX_BYTES; a pipe or a device is refused before it can block."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:  # Path.open takes no opener
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DatasetError(f"{shown_uri(path)}: is no regular file; name a CSV file")
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{shown_uri(path)}: {_file_problem(error)}", "DatasetUnreadable") from None
    if len(data) > MAX_BYTES:
        raise DatasetError(
            f"{shown_uri(path)}: the file is larger than {MAX_BYTES:,} bytes, the limit of a dataset"
        )
    return data


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _file_problem(error: OSError | ValueError) -> str:
    worlds = ", ".join(_WORLDS)
    match error:
        case FileNotFoundError():
            return f"there is no such file; name a CSV file, a gs:// object, or a built-in dataset ({worlds})"
        case IsADirectoryError():
            return "is a folder; name the CSV file in it"
        case PermissionError():
            return "may not be read by this user; change its permissions"
        case OSError():
            return f"cannot be read: {error.strerror}"
    return f"is no file name: {error}"


def _from_gcs(uri: str, generation: int | None, sha256: str | None, storage: "Client | None") -> Dataset:
    from diurnal_worker import gcs  # its client takes half a second to import, and most runs need none

    address = gcs.parse_gcs_uri(uri)
    fetched = gcs.fetch(address, generation=generation, limit=MAX_BYTES, client=storage)
    return parse_dataset(fetched.data, uri, generation=fetched.generation, sha256=sha256)


def _drift_in_gcs(read: "DatasetRef", storage: "Client | None") -> str:
    from diurnal_worker import gcs

    present = gcs.newest(gcs.parse_gcs_uri(read.uri), client=storage)
    if present == read.generation:
        return ""
    now = "is gone" if present is None else f"has generation {present} now"
    return (
        f"{read.uri} {now}; the run goes on with generation {read.generation}, which workers that restart "
        f"need (does the bucket keep versions?): {_NEW_RUN}"
    )


def _from_config_map(ref: str, sha256: str | None, mounted: str) -> Dataset:
    data = _mounted(ref, mounted)
    if data is None:
        name, _, key = ref.removeprefix(CONFIG_MAP).partition("/")
        raise DatasetUnavailableError(
            f"there is no ConfigMap {name} with the key {key} in the namespace of the simulation: create it "
            f"(kubectl create configmap {name} --from-file={key}=FILE); workers see it within two minutes",
            "ConfigMapMissing",
        )
    if sha256 is not None and (digest := hashlib.sha256(data).hexdigest()) != sha256:
        raise DatasetUnavailableError(
            f"{ref}: the table has changed since the run began (sha256 {digest}, not {sha256}): "
            f"put the old one back, or {_NEW_RUN}",
            "ConfigMapChanged",
        )
    return parse_dataset(data, ref)


def _drift_of_config_map(read: "DatasetRef", mounted: str) -> str:
    data = _mounted(read.uri, mounted)
    if data is not None and (digest := hashlib.sha256(data).hexdigest()) == read.sha256:
        return ""
    now = "is gone" if data is None else f"has another table now (sha256 {digest})"
    return (
        f"{read.uri} {now}; the run goes on with the one that it read first, which workers that restart need "
        f"back: put it back, or {_NEW_RUN}"
    )


def _mounted(ref: str, folder: str) -> bytes | None:
    """The bytes of a ConfigMap's key, None where the kubelet has found none."""
    path = Path(folder, ref.rpartition("/")[2])
    return _read_file(str(path)) if path.exists() else None
