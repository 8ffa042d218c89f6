#!/bin/sh
# Installs cargo-deny beside the cached models where it is missing; cargo checks the archive against the registry's index.
set -eu
version=0.20.2
root="${XDG_CACHE_HOME:-$HOME/.cache}/sportello/cargo-deny-$version"
[ -x "$root/bin/cargo-deny" ] ||
    cargo install cargo-deny --version "$version" --locked --debug --config profile.dev.debug=false --root "$root" >&2
echo "$root/bin/cargo-deny"
