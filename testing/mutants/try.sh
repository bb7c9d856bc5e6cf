#!/usr/bin/env bash
# Tries deliberate faults one at a time: each patch here is applied to a copy of
# the tree, must still build, and must turn red the tests that its header names
# (a part of what `make test` runs), by an assertion of theirs: a panic, a
# timeout or a build failure does not count. First the same tests must be green
# without any fault.
#
#   testing/mutants/try.sh [NAME…]     NAME is a patch without its suffix
#   ALL=1 testing/mutants/try.sh …     every test of the packages, not the named ones
#
# The head of a patch:
#   # what is wrong
#   # tests: ./package …
#   # caught by: TestName|TestOther        each of these must fail
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
here=$PWD/testing/mutants
go=${GO:-go}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export GIT_CEILING_DIRECTORIES=$copy # else git apply would look for a repository above
[ $# -gt 0 ] || set -- $(cd "$here" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')

header() { sed -n "s/^# $1: //p" "$here/$2.patch"; }

# run PACKAGES NAMES tests the copy, and builds no more than that takes.
# -trimpath keeps what is built usable for the next copy, which lies in another
# folder.
run() {
  local only=()
  [ -n "${ALL:-}" ] || only=(-run "^($2)\$")
  (cd "$copy/tree" && $go test -trimpath -vet=off -count=1 -timeout 120s "${only[@]}" $1) >"$copy/log" 2>&1
}

# caught NAMES looks for an assertion that failed in each of the tests.
caught() {
  local name
  ! grep -qE '^panic: |\[build failed\]|^FAIL.*\[setup failed\]|WARNING: DATA RACE' "$copy/log" || return 1
  for name in ${1//|/ }; do
    grep -qE -- "^--- FAIL: $name( |\$)" "$copy/log" || return 1
  done
  grep -qE '^ +[a-z_]+\.go:[0-9]+: |\[rapid\]' "$copy/log"
}

mkdir "$copy/tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ ! -e "$file" ] || printf '%s\0' "$file" # what is deleted is still listed
done | xargs -0 cp -p --parents -t "$copy/tree"

packages='' names=''
for name in "$@"; do
  [ -n "$(header tests "$name")" ] && [ -n "$(header 'caught by' "$name")" ] ||
    { echo "$name: its header names no tests"; exit 2; }
  packages+=" $(header tests "$name")" names+="|$(header 'caught by' "$name")"
done
packages=$(printf '%s\n' $packages | sort -u)
if ! run "$packages" "${names#|}"; then
  echo "without any fault the tests are red:"; cat "$copy/log"; exit 1
fi

count=0 survived=()
lost() { echo "SURVIVED  $name: $1"; survived+=("$name"); }
for name in "$@"; do
  patch=$here/$name.patch tests=$(header tests "$name") by=$(header 'caught by' "$name")
  if ! (cd "$copy/tree" && git apply --recount -C1 "$patch"); then
    lost 'the patch does not apply any more'
    continue
  fi
  if run "$tests" "$by"; then
    lost "$(sed -n '1s/^# //p' "$patch")"
  elif ! caught "$by"; then
    lost "red, but not by an assertion of $by, or it does not build:"; tail -n 30 "$copy/log"
  else
    echo "caught    $name: $(sed -n '1s/^# //p' "$patch")  [$by]"
    [ -z "${VERBOSE:-}" ] || grep -m3 -E '_?[a-z]+\.go:[0-9]+: |\[rapid\]' "$copy/log" | cut -c1-200 || true
    count=$((count + 1))
  fi
  (cd "$copy/tree" && git apply --recount -C1 -R "$patch")
done
echo "$count caught, ${#survived[@]} not: ${survived[*]:-}"
[ ${#survived[@]} -eq 0 ]
