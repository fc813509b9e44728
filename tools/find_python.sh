#!/bin/sh
# Print the first Python that can carry the course, or say what to install. With an argument, look
# at that Python only.
# The course runs on 3.11 and later; the locked packages have wheels up to 3.14.

if [ -z "$1" ]; then
    set -- python3 python3.14 python3.13 python3.12 python3.11 python
fi

found="" no_venv=""
for python in "$@"; do
    # A name that exists may still not run (pyenv's shims, Windows' store alias): ask it.
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in
        3.11 | 3.12 | 3.13 | 3.14)
            if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
                echo "$python"
                exit 0
            fi
            no_venv=${no_venv:-$version} ;;
        *) found="$found $python is $version;" ;;
    esac
done

{
    if [ -n "$no_venv" ]; then
        echo "Python $no_venv is here, but not its venv module. Debian and Ubuntu have it in a package:"
        echo "    sudo apt install python$no_venv-venv"
    else
        echo "The course needs Python 3.11, 3.12, 3.13 or 3.14.${found:+ Found:$found}"
        echo "    Debian, Ubuntu:  sudo apt install python3 python3-venv"
        echo "    macOS, Windows:  https://www.python.org/downloads/"
        echo "Is it somewhere else? Name it: make PYTHON=/path/to/python3.12 test"
    fi
} >&2
exit 1
