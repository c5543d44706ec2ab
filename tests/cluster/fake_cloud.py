"""Pub/Sub and Cloud Storage as far as they refuse: fakes that answer by the names of topics and buckets.

The real emulators know no rights, so what is forbidden must be faked; the rest is here too, so that all
mistakes can be made side by side.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c
import grpc

FORBIDDEN = "forbidden"
MISSING = "missing"
GENERATION = 11
"""The only generation that any object has."""
REFUSALS = {FORBIDDEN: (403, "does not have storage.objects.get access")}


@contextmanager
def storage(objects: Mapping[str, bytes]) -> Iterator[str]:
    """The address of a Cloud Storage with these objects in the bucket `tables`, and a bucket `forbidden`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(objects, self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 200:
                checksum = base64.b64encode(google_crc32c.value(body).to_bytes(4)).decode()
                self.send_header("X-Goog-Hash", f"crc32c={checksum}")
                self.send_header("X-Goog-Generation", str(GENERATION))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(objects: Mapping[str, bytes], address: str) -> tuple[int, bytes]:
    """As the JSON API does: https://cloud.google.com/storage/docs/json_api/v1/objects/get."""
    url = urlsplit(address)
    bucket, _, name = unquote(url.path).partition("/b/")[2].partition("/o/")
    query = parse_qs(url.query)
    if bucket != "tables":
        return refusal(*REFUSALS.get(bucket, (404, "The specified bucket does not exist.")))
    if not name:
        return 200, json.dumps({"name": bucket}).encode()
    if name not in objects or query.get("generation", [str(GENERATION)]) != [str(GENERATION)]:
        return refusal(404, f"No such object: {bucket}/{name}")
    if query.get("ifGenerationMatch", [str(GENERATION)]) != [str(GENERATION)]:
        return refusal(412, "At least one of the pre-conditions you specified did not hold.")
    if "/download/" in url.path or query.get("alt") == ["media"]:
        return 200, objects[name]
    about = {"bucket": bucket, "name": name, "generation": str(GENERATION), "size": str(len(objects[name]))}
    return 200, json.dumps(about).encode()


def refusal(status: int, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"code": status, "message": message}}).encode()


@contextmanager
def pubsub() -> Iterator[str]:
    """The address of a Pub/Sub that takes everything, but for topics called `missing` and `forbidden`."""

    def publish(request: bytes, context: grpc.ServicerContext) -> bytes:
        if f"topics/{MISSING}".encode() in request:
            context.abort(grpc.StatusCode.NOT_FOUND, "Resource not found (resource=missing).")
        if f"topics/{FORBIDDEN}".encode() in request:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "User not authorized to perform this action.")
        return b"\x0a\x011"

    methods = {
        name: grpc.unary_unary_rpc_method_handler(
            publish if name == "Publish" else lambda request, _: request
        )
        for name in ("Publish", "GetTopic")
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", methods),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
