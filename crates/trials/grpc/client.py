"""Calls every kind of method and prints a line for each case: `ok NAME` or `FAIL NAME: why`.

Arguments: suite, address, the server's notes, and the root certificate for TLS.
"""

import sys
import threading
import time

import grpc

SUITE, ADDRESS, NOTES = sys.argv[1:4]
CODE = grpc.StatusCode


def channel():
    if len(sys.argv) > 4:
        credentials = grpc.ssl_channel_credentials(open(sys.argv[4], "rb").read())
        return grpc.secure_channel(ADDRESS, credentials, [("grpc.ssl_target_name_override", "localhost")])
    return grpc.insecure_channel(ADDRESS)


CHANNEL = channel()
method = lambda kind: lambda name: getattr(CHANNEL, kind)(f"/test.Echo/{name}")
ONE, MANY, COLLECT, BOTH = (
    method(kind) for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
)


def expect(got, wanted):
    assert got == wanted, f"{got!r} instead of {wanted!r}"


def status_of(call):
    """The error with which a call ends."""
    try:
        result = call()
        return f"no error but {result!r}"
    except grpc.RpcError as error:
        return error


def unary():
    expect(ONE("Unary")(b"hello", timeout=10), b"hello")


def empty_message():
    expect(ONE("Unary")(b"", timeout=10), b"")


def metadata():
    _, call = ONE("Unary").with_call(b"x", timeout=10, metadata=[("x-sent", "value"), ("x-data-bin", b"\x00\x01\xff")])
    expect(dict(call.initial_metadata()).get("x-seen"), "value")
    after = dict(call.trailing_metadata())
    expect((after.get("x-after"), after.get("x-bin-bin")), ("yes", b"\x00\xff"))
    expect(call.code(), CODE.OK)


def large_messages():
    expect(len(ONE("Large")(b"3000000", timeout=20)), 3000000)
    expect(len(ONE("Unary")(b"y" * 3000000, timeout=20)), 3000000)


def server_stream():
    expect(list(MANY("ServerStream")(b"1000", timeout=20)), [str(number).encode() for number in range(1000)])


def empty_stream():
    expect(list(MANY("ServerStream")(b"0", timeout=10)), [])


def client_stream():
    expect(COLLECT("ClientStream")(iter([b"x" * 1000] * 500), timeout=20), b"500000")


def bidi():
    """The client sends a message only after the reply to the previous one: the proxy must not hold one back."""
    turn, answers = threading.Semaphore(1), []

    def requests():
        for number in range(50):
            turn.acquire()
            yield str(number).encode()

    for answer in BOTH("Bidi")(requests(), timeout=20):
        answers.append(answer)
        turn.release()
    expect(answers, [str(number).encode() for number in range(50)])


def many_at_once():
    calls = [ONE("Unary").future(str(number).encode(), timeout=20) for number in range(300)]
    expect([call.result() for call in calls], [str(number).encode() for number in range(300)])


def error_statuses():
    for code in CODE:
        if code is not CODE.OK:
            error = status_of(lambda: ONE("Fails")(str(code.value[0]).encode(), timeout=10))
            expect((error.code(), error.details()), (code, "told so: a/b"))
            expect(dict(error.trailing_metadata()).get("x-why"), "told")


def error_after_messages():
    stream, got = MANY("LateFailure")(b"", timeout=10), []
    error = status_of(lambda: [got.append(message) for message in stream])
    expect((got, error.code(), error.details()), ([b"one", b"two"], CODE.DATA_LOSS, "after two"))


def unknown_method():
    expect(status_of(lambda: ONE("Nothing")(b"", timeout=10)).code(), CODE.UNIMPLEMENTED)


def deadline_is_told():
    remaining = float(ONE("Deadline")(b"", timeout=7))
    assert 5 < remaining < 7.5, remaining


def deadline_passes():
    began = time.time()
    expect(status_of(lambda: ONE("Slow")(b"5", timeout=0.5)).code(), CODE.DEADLINE_EXCEEDED)
    assert time.time() - began < 2, time.time() - began


def cancelled():
    stream = MANY("SlowStream")(b"20", timeout=30)
    expect(next(stream), b"now")
    stream.cancel()
    expect(status_of(lambda: next(stream)).code(), CODE.CANCELLED)
    for _ in range(100):
        if "cancelled" in open(NOTES, "a+").read() or "cancelled" in open(NOTES).read():
            return
        time.sleep(0.1)
    raise AssertionError("the server was not told")


def target_is_down():
    expect(status_of(lambda: ONE("Unary")(b"x", timeout=10)).code(), CODE.UNAVAILABLE)


def target_is_late():
    began = time.time()
    code = status_of(lambda: ONE("Slow")(b"8", timeout=20)).code()
    assert code in (CODE.DEADLINE_EXCEEDED, CODE.UNAVAILABLE), code
    assert time.time() - began < 6, "the balancer's timeout did not end it"


SUITES = {
    "all": [
        unary, empty_message, metadata, large_messages, server_stream, empty_stream, client_stream, bidi, many_at_once,
        error_statuses, error_after_messages, unknown_method, deadline_is_told, deadline_passes, cancelled,
    ],
    "down": [target_is_down],
    "late": [target_is_late],
}

failed = False
for case in SUITES[SUITE]:
    name = case.__name__.replace("_", " ")
    try:
        case()
        print("ok", name, flush=True)
    except grpc.RpcError as error:
        failed = True
        print("FAIL", f"{name}: {error.code().name} {error.details()!r}", flush=True)
    except Exception as error:
        failed = True
        print("FAIL", f"{name}: {type(error).__name__} {(str(error).splitlines() or [''])[0]}", flush=True)
sys.exit(failed)
