#!/bin/sh
# A directory as one number: over path, kind, permissions, link and content of everything in it. Shares nothing with fracas.
cd "$1" || exit 1
{
    find . -name __pycache__ -prune -o -printf '%p %y %m %l\n' | sort
    find . -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0r sha256sum
} | sha256sum
