#!/bin/sh
# Starts a server and `sportello simulate` beside it, and ends both together.
set -eu
program="$1"
data="${2:-target/simulate}"
mkdir -p "$data"
SPORTELLO_WHATSAPP__APP_SECRET=simulated-app-secret \
SPORTELLO_WHATSAPP__ACCESS_TOKEN=simulated-token \
SPORTELLO_WHATSAPP__PHONE_NUMBER_ID=106540352242922 \
SPORTELLO_WHATSAPP__WABA_ID=102290129340398 \
SPORTELLO_WHATSAPP__GRAPH_URL=http://127.0.0.1:8090/v26.0 \
    "$program" --data "$data" serve 2>"$data/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
echo "the server writes to $data/server.log" >&2
"$program" simulate
