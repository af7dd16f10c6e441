# What every lane begins with: `. "$(dirname "$0")/../lane.sh"`. A lane installs third-party software into places of its
# own below one temporary directory, and runs the tests that need it. `LANES_DIR` names a directory that is kept, and
# used again, instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root="${LANES_DIR:-}"
if [ -z "$root" ]; then
  root="$(mktemp -d)"
  trap 'rm -rf "$root"' EXIT
fi
mkdir -p "$root"

# step NAME COMMAND...: runs it, and tells how long it took
step() {
  local name=$1 begun=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  printf -- '-- %s: %d s\n' "$name" "$((SECONDS - begun))"
}

# install NAME REQUIREMENT...: a virtual environment of that name
install() {
  local venv="$root/$1"
  shift
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# debian PACKAGE...: installs what is missing, where that can be done; elsewhere the tests are skipped, with a reason
debian() {
  local missing=()
  for package in "$@"; do
    dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "not installed, for want of rights: ${missing[*]}"
    return
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "${missing[@]}" > /dev/null
}
