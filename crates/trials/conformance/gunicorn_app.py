"""Logs request id, method, target, status, and bytes of the body."""
import os

LOG = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def application(environ, start_response):
    bytes_read = len(environ["wsgi.input"].read())
    request_id = environ.get("HTTP_X_REQUEST_ID", "")
    line = "\t".join([request_id, environ["REQUEST_METHOD"], environ["RAW_URI"], "200", str(bytes_read)])
    os.write(LOG, (line + "\n").encode("latin-1"))
    start_response("200 OK", [("Content-Length", "5"), ("X-Seen", request_id)])
    return [b"seen\n"]
