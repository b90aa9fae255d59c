"""The answering side of peers that want an interpreter of their own: `python -m ... KIND ADDRESS`.

Ends when its standard input does.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

LIMITS: Final = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def serve_zmq(address: str) -> None:
    """Answer over a socket of ZeroMQ."""
    import zmq  # noqa: PLC0415 (an extra)

    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.bind(f"ipc://{address}")
        print("ready", flush=True)
        while True:
            socket.send(socket.recv())


def serve_grpc(address: str) -> None:
    """Answer over gRPC, without any encoding of its own."""
    import grpc  # noqa: PLC0415 (an extra)

    server = grpc.server(ThreadPoolExecutor(1), options=LIMITS)
    say = grpc.unary_unary_rpc_method_handler(lambda data, _: data)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("parrot", {"say": say}),))
    server.add_insecure_port(f"unix:{address}")
    server.start()
    print("ready", flush=True)
    threading.Event().wait()


def main() -> None:
    """Serve until standard input ends."""
    kind, address = sys.argv[1:]
    serve = {"zmq": serve_zmq, "grpc": serve_grpc}[kind]
    threading.Thread(target=serve, args=(address,), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
