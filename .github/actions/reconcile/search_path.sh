# Both steps source this file before they start a program. It removes each entry that is relative or in the user's
# checkout from PATH and LD_LIBRARY_PATH, so that no program and no library of the checkout is used.

# outside_of_the_checkout DIRECTORIES: print a list of directories, separated by colons, without such entries
outside_of_the_checkout() {
  local workspace entry real kept=
  local -a entries
  workspace=$(cd -P -- "$GITHUB_WORKSPACE" && pwd)
  IFS=: read -ra entries <<< "$1"
  for entry in "${entries[@]}"; do
    [[ $entry == /* && $entry != "$GITHUB_WORKSPACE"/* ]] || continue
    real=$(cd -P -- "$entry" 2> /dev/null && pwd) || continue
    [[ $real/ == "$workspace"/* ]] || kept+=${kept:+:}$entry
  done
  printf '%s' "$kept"
}

PATH=$(outside_of_the_checkout "$PATH")
if [ -n "${LD_LIBRARY_PATH:-}" ]; then LD_LIBRARY_PATH=$(outside_of_the_checkout "$LD_LIBRARY_PATH"); fi
