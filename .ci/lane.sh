# What every lane begins with: `. "$(dirname "$0")/../lane.sh"`. A lane installs third-party software into places of its
# own below one temporary directory, and runs the tests that need it. `LANES_DIR` names a directory that is kept, and
# used again, instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root="${LANES_DIR:-}"
if [ -z "$root" ]; then
  root="$(mktemp -d)"
  trap 'rm -rf "$root" 2> /dev/null || as_root rm -rf "$root"' EXIT
fi
mkdir -p "$root"
export LANES_DIR="$root" # a lane that `.ci/run` starts uses the environments that are there

# step NAME COMMAND...: runs it, and tells how long it took
step() {
  local name=$1 begun=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  printf -- '-- %s: %d s\n' "$name" "$((SECONDS - begun))"
}

# the runner's own uv, or the one that is locked; its cache of wheels serves every environment
uv() {
  local own="$root/uv/bin/uv"
  if ! type -P uv > /dev/null && [ ! -x "$own" ]; then
    python3 -m venv "$root/uv"
    "$root/uv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r .ci/uv-requirements.txt
  fi
  "$(type -P uv || echo "$own")" "$@"
}

# install NAME REQUIREMENT...: into the virtual environment of that name; most lanes share `lanes`
install() {
  local venv="$root/$1"
  shift
  {
    flock 7 # two lanes may begin with the same one
    [ -x "$venv/bin/python" ] || uv venv --quiet --python "$(type -P python3)" "$venv"
    uv pip install --quiet --python "$venv/bin/python" "$@"
  } 7> "$venv.lock"
}

# as_root COMMAND...: by sudo where this is not root and sudo asks for no password
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo --non-interactive "$@"; fi
}

can_be_root() {
  as_root true 2> /dev/null
}

# debian PACKAGE...: installs what is missing, where that can be done; elsewhere the tests are skipped, with a reason
debian() {
  local missing=()
  for package in "$@"; do
    dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  if ! can_be_root || ! type -P apt-get > /dev/null; then
    echo "not installed, for want of rights: ${missing[*]}"
    return
  fi
  {
    flock 8
    [ -e "$root/apt-updated" ] || as_root apt-get update -qq
    touch "$root/apt-updated"
    # another program of this machine may be installing something
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install --yes -qq --no-install-recommends "${missing[@]}" > /dev/null
  } 8> "$root/apt.lock"
}
