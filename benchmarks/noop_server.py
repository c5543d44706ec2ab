"""A Pub/Sub that does nothing, for measuring clients: a process that acknowledges every Publish at once.

It neither parses requests nor keeps them, and is no substitute for the emulator. Run by the benchmarks:
`python benchmarks/noop_server.py` prints its port, serves, and ends when its standard input does.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

ANSWER = b"\x0a\x011"
"""A PublishResponse with one message id."""


class AcknowledgeAll(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Answers every method with the same bytes."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """One handler for all, without serialisers: requests stay bytes."""
        return grpc.unary_unary_rpc_method_handler(lambda request, context: ANSWER)


def main() -> None:
    """Serves on a free loopback port until the parent closes the pipe."""
    server = grpc.server(
        ThreadPoolExecutor(2),
        handlers=[AcknowledgeAll()],
        options=[("grpc.max_receive_message_length", -1)],
    )
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
