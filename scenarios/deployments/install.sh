#!/bin/sh
# A small installation as releases have one: what the tree says of itself goes into its virtual environment, piece by piece, and what
# another release installed there goes. It may write there because no release brings `.venv`.
set -eu
root=$(cd "$(dirname "$0")" && pwd -P)
installed=$root/.venv/lib/exo
rm -rf "$installed"
mkdir -p "$installed"
cp "$root/pyproject.toml" "$installed/METADATA"
[ ! -d "$root/tools" ] || cp -r "$root/tools" "$installed/tools"
: >"$installed/COMPLETE"
