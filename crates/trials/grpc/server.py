"""A gRPC server whose messages are bytes: no generated code. Arguments: port, and certificate and key for TLS."""

import sys
import time
from concurrent import futures

import grpc


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata([("x-seen", metadata.get("x-sent", ""))])
    context.set_trailing_metadata([("x-after", "yes"), ("x-bin-bin", b"\x00\xff")])
    return request


def large(request, context):
    return b"x" * int(request)


def server_stream(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def client_stream(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def bidi(requests, context):
    for request in requests:
        yield request


def fails(request, context):
    context.set_trailing_metadata([("x-why", "told")])
    context.abort(next(code for code in grpc.StatusCode if code.value[0] == int(request)), "told so: a/b")


def late_failure(request, context):
    yield b"one"
    yield b"two"
    context.abort(grpc.StatusCode.DATA_LOSS, "after two")


def slow(request, context):
    time.sleep(float(request))
    return b"late"


def slow_stream(request, context):
    yield b"now"
    deadline = time.time() + float(request)
    while context.is_active() and time.time() < deadline:
        time.sleep(0.05)
    open(sys.argv[2], "a").write("cancelled\n" if not context.is_active() else "ran out\n")


def deadline(request, context):
    """The deadline of the call, as it reached the server."""
    remaining = context.time_remaining()
    return b"none" if remaining is None or remaining > 1e6 else f"{remaining:.3f}".encode()


ONE = grpc.unary_unary_rpc_method_handler
MANY = grpc.unary_stream_rpc_method_handler
METHODS = {
    "Unary": ONE(unary),
    "Large": ONE(large),
    "ServerStream": MANY(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    "Fails": ONE(fails),
    "LateFailure": MANY(late_failure),
    "Slow": ONE(slow),
    "SlowStream": MANY(slow_stream),
    "Deadline": ONE(deadline),
}


def main():
    port = sys.argv[1]
    server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", METHODS),))
    if len(sys.argv) > 3:
        chain, key = (open(path, "rb").read() for path in sys.argv[3:5])
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, chain)]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


main()
