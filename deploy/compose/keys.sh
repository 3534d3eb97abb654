#!/bin/sh
# Makes the tokens of a stack once: one for whoever opens the page, one that Prometheus and Grafana may read with.
set -eu
KEYS=${1:-/keys}

if [ ! -s "$KEYS/read" ]; then
    umask 077
    pea tokens add --name you --scope admin >"$KEYS/admin"
    pea tokens add --name stack --scope read >"$KEYS/read.new"
    chmod 644 "$KEYS/read.new" # by programs that run as other users; the volume is mounted in theirs alone
    mv "$KEYS/read.new" "$KEYS/read"
fi
echo "PEA       http://127.0.0.1:8080/   log in with: $(cat "$KEYS/admin")"
echo "Grafana   http://127.0.0.1:3000/   Jaeger http://127.0.0.1:16686/   Prometheus http://127.0.0.1:9090/"
