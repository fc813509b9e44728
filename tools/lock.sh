#!/bin/sh
# Write requirements.lock: one version of each package for every platform and Python, with hashes and
# without the address of any index; all extras but `bayes`. Then ask whether each platform finds a wheel of every package,
# because `make` installs nothing else.
set -eu
cd "$(dirname "$0")/.."

uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --generate-hashes --no-header --no-annotate --extra lab --extra test --upgrade \
    --output-file requirements.lock pyproject.toml

for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 x86_64-pc-windows-msvc \
    aarch64-apple-darwin x86_64-apple-darwin; do
    for python in 3.11 3.12 3.13 3.14; do
        uv pip compile --quiet --no-deps --only-binary :all: --python-platform "$platform" \
            --python-version "$python" --output-file /dev/null requirements.lock ||
            { echo "A package of requirements.lock has no wheel for Python $python on $platform." >&2; exit 1; }
    done
done
echo "requirements.lock: $(grep -c == requirements.lock) packages"
