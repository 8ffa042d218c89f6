#!/bin/sh
# Installs Chromium for the browser test where it is missing. Debian and Ubuntu only; elsewhere install it by hand.
set -eu
if command -v chromium >/dev/null 2>&1 || [ -n "${CHROME_PATH:-}" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "The browser test needs Chromium: install it, or set CHROME_PATH to its program." >&2
    exit 1
fi
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends chromium
