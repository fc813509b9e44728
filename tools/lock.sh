#!/bin/sh
# Write requirements.lock (what learners and tests need) and requirements-site.lock (what the site and
# the browser tests need beyond it): one version of each package for every platform and Python, with
# hashes and without the address of any index. Then ask whether each platform finds a wheel of every
# package, because `make` installs nothing else. A version in the file stays as long as it fits;
# --upgrade takes the newest of all, --upgrade-package NAME of one.
set -eu
cd "$(dirname "$0")/.."
options="$*"

lock() {
    file=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --no-header --no-annotate $options "$@" --output-file "$file" pyproject.toml
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 x86_64-pc-windows-msvc \
        aarch64-apple-darwin x86_64-apple-darwin; do
        for python in 3.11 3.12 3.13 3.14; do
            uv pip compile --quiet --no-deps --only-binary :all: --python-platform "$platform" \
                --python-version "$python" --output-file /dev/null "$file" ||
                { echo "A package of $file has no wheel for Python $python on $platform." >&2; exit 1; }
        done
    done
    echo "$file: $(grep -c == "$file") packages"
}

lock requirements.lock --extra lab --extra test
lock requirements-site.lock --extra site --constraint requirements.lock
