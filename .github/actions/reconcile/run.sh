#!/usr/bin/env bash
# The second step of the action: run the command that `install.py` has installed. Each input is an environment variable,
# and is never evaluated as shell code. The working directory is the user's checkout, which is only data: no program in
# it is run, and Python neither imports from it nor reads a PYTHON* variable.
set -euo pipefail

token=$INPUT_GITHUB_TOKEN
unset INPUT_GITHUB_TOKEN

. "$GITHUB_ACTION_PATH/search_path.sh"

# setting NAME VALUE: set a Git setting, only in the environment, for every Git that this script or reconcile starts
setting() {
  local number=${GIT_CONFIG_COUNT:-0}
  export "GIT_CONFIG_KEY_$number=$1" "GIT_CONFIG_VALUE_$number=$2" "GIT_CONFIG_COUNT=$((number + 1))"
}

setting safe.directory "$GITHUB_WORKSPACE" # in a job with a container, another user owns the workspace
setting safe.directory "$PWD"
setting safe.bareRepository explicit # ignore a bare repository in the checkout

# Let Git use the token, for GitHub only. It is passed in the environment, so no file and no process list contains it.
lend_git_the_token() {
  local server=${GITHUB_SERVER_URL:-https://github.com}
  [ -n "$token" ] && [[ $server == https://* ]] || return 0
  local header
  header=$(printf 'x-access-token:%s' "$token" | base64 | tr -d '\n')
  echo "::add-mask::$header"
  setting "http.$server/.extraheader" "AUTHORIZATION: basic $header"
}

# Clone the published statuses into a separate directory, from which `plan` reads them, because a shallow fetch would
# make the checkout shallow. Before the first `act`, the branch does not exist.
fetch_statuses() {
  local remote found=0
  remote=$(git remote get-url origin)
  rm -rf "$1"
  git ls-remote --quiet --exit-code "$remote" "refs/heads/$INPUT_COMMIT_STATUS" > /dev/null || found=$?
  case $found in
    0) git clone --quiet --depth=1 --single-branch --branch="$INPUT_COMMIT_STATUS" "$remote" "$1" ;;
    2) mkdir -p "$1" ;;
    *)
      printf '%s %s\n' \
        "::error::The statuses on the branch $INPUT_COMMIT_STATUS could not be read from 'origin': see the log." \
        "Check the input 'github-token', and that the job has the permission 'contents: read'."
      exit "$found"
      ;;
  esac
}

lend_git_the_token
if [ "$INPUT_COMMENT" = true ]; then export GITHUB_TOKEN=$token; else unset GITHUB_TOKEN; fi

arguments=(--specs "$INPUT_SPECS")
if [ -n "$INPUT_STATUS_DIR" ]; then arguments+=(--status-dir "$INPUT_STATUS_DIR"); fi
if [ "$INPUT_COMMAND" != validate ]; then
  if [ -n "$INPUT_SELECTOR" ]; then arguments+=(--selector "$INPUT_SELECTOR"); fi
  if [ -n "$INPUT_PROVIDER" ]; then arguments+=(--provider "$INPUT_PROVIDER"); fi
  if [ -n "$INPUT_ALLOW_CANCELS" ]; then arguments+=(--allow-cancels "$INPUT_ALLOW_CANCELS"); fi
fi

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
    if [ -n "$INPUT_COMMIT_STATUS" ] && [ -z "$INPUT_STATUS_DIR" ]; then
      fetch_statuses "$RUNNER_TEMP/reconcile-status"
      arguments+=(--status-dir "$RUNNER_TEMP/reconcile-status")
    fi
    printf 'plan-file=%s\n' "$file" >> "$GITHUB_OUTPUT"
    ;;
  act)
    arguments+=(--once "--wait=$INPUT_WAIT" --timeout "$INPUT_TIMEOUT")
    if [ -n "$INPUT_PLAN" ]; then arguments+=(--plan "$INPUT_PLAN"); fi
    arguments+=(--push)
    if [ -n "$INPUT_COMMIT_STATUS" ]; then arguments+=(--status-branch "$INPUT_COMMIT_STATUS"); fi
    ;;
  *)
    echo "::error::The input 'command' must be validate, plan or act."
    exit 64
    ;;
esac

code=0
"$INSTALLED" -I -m reconciler "${arguments[@]}" || code=$?
if [ "$code" = 2 ] && [ "$INPUT_COMMAND" = plan ]; then code=0; fi
exit "$code"
