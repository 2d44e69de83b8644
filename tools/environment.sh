#!/bin/sh
# Makes the course's environment in .venv, or finds it ready. Called by the Makefile.
#
#   sh tools/environment.sh             the first Python 3.11, 3.12 or 3.13 found, locked packages
#   PYTHON=python3.12 sh ...            that Python
#   UNLOCKED=1 sh ...                   the newest packages that pyproject.toml admits (for CI)
#
# .venv/.ready is written last and says where, and what was installed. A new lock is therefore
# installed over the old; an interrupted install, a moved folder or another Python start anew.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
ready=$venv/.ready

# "3.12" if "$1" runs and is a Python that the course accepts and that can make environments.
version() {
    "$1" -c 'import sys, venv, ensurepip
accepted = (3, 11) <= sys.version_info[:2] <= (3, 13)
print("%d.%d" % sys.version_info[:2]) if accepted else sys.exit(1)' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    candidates="python3.13 python3.12 python3.11 python3 python"
fi

# A ready environment is taken as it is, unless PYTHON names another version.
place="$PWD unlocked=${UNLOCKED:-}"
wanted="$place
$(cat requirements.txt pyproject.toml | cksum)"
if [ -z "${PYTHON:-}" ] && [ "$(cat $ready 2>/dev/null)" = "$wanted" ] &&
    version $venv/bin/python >/dev/null; then
    exit 0
fi

python=
for candidate in $candidates; do  # run each: a pyenv shim may stand on the path and not work
    if found=$(version "$candidate"); then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    if [ -z "${PYTHON:-}" ]; then
        given="none was found on this machine"
    elif command -v "$PYTHON" >/dev/null; then
        given="PYTHON=$PYTHON says: $("$PYTHON" --version 2>&1 | head -n 1 || true)"
    else
        given="PYTHON=$PYTHON was not found"
    fi
    echo "The course needs Python 3.11, 3.12 or 3.13 (with its venv module); $given." \
        "Install one, or name it: make lab PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if [ "$(cat $ready 2>/dev/null)" = "$wanted" ] && [ "$(version $venv/bin/python)" = "$found" ]; then
    exit 0
fi

if [ "$(head -n 1 $ready 2>/dev/null)" = "$place" ] &&
    [ "$(version $venv/bin/python)" = "$found" ]; then
    echo "Bringing the environment in $venv up to date."
    rm $ready
else
    echo "Making the environment in $venv with Python $found: some minutes and 3.2 GB, once."
    "$python" -m venv --clear $venv
fi
pip() { $venv/bin/python -m pip --disable-pip-version-check "$@"; }
# A fresh import of TensorFlow takes twice as long without compiled bytecode. pip compiles it
# whatever PYTHONDONTWRITEBYTECODE says, and says so here in case a pip.conf forbids it.
if [ -n "${UNLOCKED:-}" ]; then
    pip install --quiet --compile --editable ".[lab,test]"
else
    pip install --quiet --compile --requirement requirements.txt
    pip install --quiet --no-deps --editable .
fi
$venv/bin/python -m compileall -q genlib
printf '%s\n' "$wanted" >$ready
echo "Ready."
