#!/bin/sh
# Counts the bytes of the body, for Apache's log.
printf 'Content-Type: text/plain\nX-Seen: %s\nX-Bytes: %s\n\nseen\n' "$HTTP_X_REQUEST_ID" "$(wc -c)"
