#!/usr/bin/env bash
# One step of the action: install reconcile as it stands beside this file, so that the commit that pins the action pins
# all of it, and run the command. Every input comes by the environment, and none is ever read as shell.
set -euo pipefail

token=$INPUT_GITHUB_TOKEN
unset INPUT_GITHUB_TOKEN

# Steps of one job share an installation, where they name the same commit and the same extras.
install() {
  local what venv
  what=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)${INPUT_EXTRAS:+[$INPUT_EXTRAS]}
  venv=$RUNNER_TEMP/reconcile-$(cksum <<< "$what" | cut -d ' ' -f 1)
  if [ ! -x "$venv/bin/reconcile" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$what"
  fi
  PATH=$venv/bin:$PATH
}

# Let Git use the token for GitHub alone, by the environment: no file keeps it, and no list of processes shows it.
lend_git_the_token() {
  local server=${GITHUB_SERVER_URL:-https://github.com}
  [ -n "$token" ] && [[ $server == https://* ]] || return 0
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$server/.extraheader"
  GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$token" | base64 | tr -d '\n')"
  echo "::add-mask::${GIT_CONFIG_VALUE_0##* }"
  export GIT_CONFIG_VALUE_0
}

# Put the statuses that are published where `plan` reads them: beside the checkout, which a shallow fetch would make
# shallow. Before the first `act` there are none.
fetch_statuses() {
  local remote found=0
  remote=$(git remote get-url origin)
  rm -rf "$1"
  git ls-remote --quiet --exit-code "$remote" "refs/heads/$INPUT_COMMIT_STATUS" > /dev/null || found=$?
  case $found in
    0) git clone --quiet --depth=1 --single-branch --branch="$INPUT_COMMIT_STATUS" "$remote" "$1" ;;
    2) mkdir -p "$1" ;;
    *) exit "$found" ;;
  esac
}

install
lend_git_the_token
if [ "$INPUT_COMMENT" = true ]; then export GITHUB_TOKEN=$token; else unset GITHUB_TOKEN; fi

arguments=(--specs "$INPUT_SPECS")
if [ -n "$INPUT_SELECTOR" ] && [ "$INPUT_COMMAND" != validate ]; then arguments+=(--selector "$INPUT_SELECTOR"); fi

case $INPUT_COMMAND in
  validate)
    arguments=(validate "${arguments[@]}")
    base=origin/${GITHUB_BASE_REF:-}
    if git rev-parse --quiet --verify "$base^{commit}" > /dev/null; then arguments+=(--since "$base"); fi
    ;;
  plan)
    file=$RUNNER_TEMP/reconcile-plan.json
    arguments=(plan "${arguments[@]}" --out "$file")
    if [ "$INPUT_DETAILED_EXITCODE" = true ]; then arguments+=(--detailed-exitcode); fi
    if [ -n "$INPUT_COMMIT_STATUS" ]; then
      fetch_statuses "$RUNNER_TEMP/reconcile-status"
      arguments+=(--status-dir "$RUNNER_TEMP/reconcile-status")
    fi
    printf 'plan-file=%s\n' "$file" >> "$GITHUB_OUTPUT"
    ;;
  act)
    arguments+=(--once "--wait=$INPUT_WAIT")
    if [ -n "$INPUT_PLAN" ]; then arguments+=(--plan "$INPUT_PLAN"); fi
    arguments+=(--push)
    if [ -n "$INPUT_COMMIT_STATUS" ]; then arguments+=(--status-branch "$INPUT_COMMIT_STATUS"); fi
    ;;
  *)
    echo "::error::The input 'command' is validate, plan or act."
    exit 64
    ;;
esac

code=0
reconcile "${arguments[@]}" || code=$?
if [ "$code" = 2 ] && [ "$INPUT_COMMAND" = plan ]; then code=0; fi
exit "$code"
