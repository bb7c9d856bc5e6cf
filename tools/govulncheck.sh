#!/usr/bin/env bash
# Looks for known vulnerabilities where the vulnerability data can be had; says
# so and passes where it cannot. A vulnerability that is found fails.
set -uo pipefail
out=$(go tool -modfile=tools/go.mod govulncheck ./... 2>&1)
status=$?
echo "$out" | tail -n 40
if [ $status -ne 0 ] && echo "$out" | grep -qE 'fetching vulnerabilities|dial tcp|no such host|Forbidden|timeout|connection refused'; then
  echo "govulncheck: its data cannot be had here; not checked"
  exit 0
fi
exit $status
