#!/bin/sh
# Print the path of a Chromium or Chrome; as root on Debian install one first. Else say what to do.
set -eu

find_one() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return 0
    done
    return 1
}

if ! find_one >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get update -qq && apt-get install -y -qq chromium; } >&2 || true
fi
find_one || {
    echo "The browser tests need Chromium. Debian, Ubuntu: sudo apt install chromium" >&2
    exit 1
}
