#!/bin/sh
# A tree as one number: over path, kind, permissions, link and content of everything in it but what no release brings (the deployment's
# own directory, releases, the virtual environment). Shares nothing with fracas.
cd "$1" || exit 1
names() { # find's words for what to do with each
    find . \( -path ./deployment -o -path ./releases -o -path ./.venv -o -name __pycache__ \) -prune -o "$@"
}
{
    names -path . -o -printf '%p %y %m %l\n' | sort
    names -type f -print0 | sort -z | xargs -0r sha256sum
} | sha256sum
