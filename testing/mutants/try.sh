#!/usr/bin/env bash
# Tries deliberate faults one at a time: each patch here is applied to a copy of
# the tree, must still build, and must turn red the tests that its header names
# (a part of what `make test` runs; ALL=1 runs everything).
#
#   testing/mutants/try.sh [NAME…]     NAME is a patch without its suffix
#
# The head of a patch:  # what is wrong     then     # tests: ./package …
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
here=testing/mutants
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
[ $# -gt 0 ] || set -- $(cd $here && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
caught=0 survived=()
for name in "$@"; do
  patch=$PWD/$here/$name.patch
  tests=$(sed -n 's/^# tests: //p' "$patch")
  [ -n "$tests" ] || { echo "$name: names no tests"; exit 2; }
  [ -z "${ALL:-}" ] || tests=./...
  rm -rf "$copy/tree" && mkdir "$copy/tree"
  git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy/tree"
  if ! (cd "$copy/tree" && git apply --recount "$patch"); then
    echo "$name: does not apply any more"; survived+=("$name"); continue
  fi
  if ! (cd "$copy/tree" && go build ./... && go vet $tests) >"$copy/log" 2>&1; then
    echo "$name: does not build"; tail -n 5 "$copy/log"; survived+=("$name"); continue
  fi
  # An unchanged test result may be cached; a mutant's never is.
  if (cd "$copy/tree" && go test $tests) >"$copy/log" 2>&1; then
    echo "SURVIVED  $name: $(sed -n '1s/^# //p' "$patch")"
    survived+=("$name")
  else
    echo "caught    $name: $(sed -n '1s/^# //p' "$patch")  [$(grep -m1 -o -- '--- FAIL: [^ ]*' "$copy/log" || echo 'no test named')]"
    caught=$((caught + 1))
  fi
done
echo "$caught caught, ${#survived[@]} not: ${survived[*]:-}"
[ ${#survived[@]} -eq 0 ]
