#!/bin/sh
# Prints where wrk is; installs it with apt where it is missing.
set -eu
if ! command -v wrk >/dev/null 2>&1; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get install --yes --quiet wrk >&2 ||
        { echo "wrk cannot be installed; install it by hand (https://github.com/wg/wrk)" >&2; exit 1; }
fi
command -v wrk
