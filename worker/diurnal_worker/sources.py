"""Where a dataset's bytes come from: the package itself, a file, or an object in Cloud Storage.

The only I/O around datasets; dataset.py judges the bytes. Every source is bounded before it is read, so
neither a huge object nor /dev/zero can fill the memory. Cloud Storage is imported only when an address asks
for it.
"""

import os
import stat
from importlib.resources import files
from typing import TYPE_CHECKING

import diurnal_worker
from diurnal_worker.dataset import MAX_BYTES, Dataset, DatasetError, parse_dataset, shown_uri
from diurnal_worker.quoting import quoted

if TYPE_CHECKING:
    from google.cloud.storage import Client

BUILTIN = "builtin:"
GCS = "gs://"
_WORLDS = {"world-2025": "world-2025.csv"}


def world_names() -> tuple[str, ...]:
    """Return the names of the built-in datasets."""
    return tuple(_WORLDS)


def load(
    ref: str, *, generation: int | None = None, sha256: str | None = None, storage: "Client | None" = None
) -> Dataset:
    """Return the dataset at `ref`.

    `ref` is a built-in name (`world-2025`, `builtin:world-2025`), a path, or a gs:// address.

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
    return parse_dataset(_read_file(ref), ref, sha256=sha256)


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
