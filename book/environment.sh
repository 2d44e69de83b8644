#!/bin/sh
# Makes build/venv, where the book is built: Sphinx and what belongs to it, and by a path file all of
# the course's own environment, which thus need not hold them. Called by the Makefile.
set -eu
cd "$(dirname "$0")/.."
venv=build/venv
wanted="$PWD $(cat book/requirements.txt .venv/.ready | cksum)"
[ "$(cat $venv/.ready 2>/dev/null)" = "$wanted" ] && exit 0

echo "Making the environment of the book in $venv: a minute and 150 MB, once."
packages() { "$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
.venv/bin/python -m venv --clear $venv
packages .venv/bin/python >"$(packages $venv/bin/python)/course.pth"
$venv/bin/python -m pip --disable-pip-version-check install --quiet -r book/requirements.txt
printf '%s\n' "$wanted" >$venv/.ready
