# Sourced by scripts/train, scripts/test and scripts/check: makes .venv from pinned versions, once.
# After `environment FILE`, $python is the interpreter with everything that FILE names. After
# `environment FILE 2.16`, it is one in .venv-tf-2.16, with that TensorFlow besides.

root=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# Prints the first interpreter of a version that TensorFlow has packages for.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.10 to 3.13 found (${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1)); install one, or set PYTHON=/path/to/python"
}

environment() {
    local requirements=$root/$1 tensorflow=${2:-} venv=$root/.venv${2:+-tf-$2} stamp
    stamp=$venv/.installed-$1
    python=$venv/bin/python
    if is_installed; then
        return
    fi
    local lock=$root/.venv.lock
    exec 9>"$lock"
    if command -v flock >/dev/null; then flock 9; fi
    if ! is_installed; then
        install
        wanted >"$stamp"
    fi
    exec 9>&-
}

# The stamp is a copy of all that was installed, so a changed version installs again.
is_installed() {
    [ -x "$python" ] && wanted | cmp -s - "$stamp"
}

# requirements-test.txt begins with requirements.txt, requirements-other.txt with requirements-base.txt.
wanted() {
    if [ -n "$tensorflow" ]; then
        printf 'tensorflow==%s.*\n' "$tensorflow"
        cat "$root/requirements-base.txt" "$requirements"
    else
        cat "$root/requirements.txt" "$requirements"
    fi
}

install() {
    local base log=$venv/install.log
    if [ ! -x "$python" ]; then
        base=$(find_python) || exit 1
        "$base" -m venv --clear "$venv" || fail "$base cannot make a virtual environment in $venv (on Debian: apt-get install python3-venv)"
    fi
    printf 'installing %s into %s (once, about a minute) ...\n' "${requirements##*/}" "${venv##*/}" >&2
    if ! "$python" -m pip install --disable-pip-version-check --no-input ${tensorflow:+"tensorflow==$tensorflow.*"} -r "$requirements" >"$log" 2>&1; then
        grep -i 'error' "$log" | tail -n 5 >&2
        fail "the installation failed; the whole output is in $log"
    fi
}
