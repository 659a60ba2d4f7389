#!/usr/bin/env bash
# The review of a change to dashboards and alerts, the same on a laptop (make review BASE=main) and in a pull request:
# format, lint of what is new, the contract with the exporters, and what changed in words and pictures.
#
# usage: .github/review.sh BASE [OUT]
#
# OUT (default .cache/review) gets review.md for a comment, review.html for the eye, and pictures/.
# FORMAT=github writes findings as annotations. PICTURES is the address that the comment will find the pictures at.
# METRICS lists expositions to check against (files or addresses); by default exporter and relay are built from this tree and asked.
# Exit code: 0 nothing to object to (changes are no objection), 1 findings, 2 could not run.
set -euo pipefail
cd "$(dirname "$0")/.."

base=${1:?usage: .github/review.sh BASE [OUT]}
out=${2:-.cache/review}
format=${FORMAT:-text}
lookout=.cache/bin/lookout
paths=(dashboards alerts)

mkdir -p .cache/bin
go build -o "$lookout" ./cmd/lookout
rm -rf "$out"
mkdir -p "$out"

findings=0
# step TITLE COMMAND…: remembers findings, stops when something could not run.
step() {
  local title=$1 code=0
  shift
  printf '\n== %s\n' "$title" >&2
  "$@" || code=$?
  case $code in
    0) ;;
    1) findings=1 ;;
    *) exit 2 ;;
  esac
}

# The comment has the findings, too: annotations are only shown on lines that the change touched.
sections=()
section() {
  local title=$1 file=$2 code=0
  shift 2
  "$@" >"$file" 2>/dev/null || code=$?
  if [ "$code" -gt 1 ]; then exit 2; fi
  if [ "$code" -eq 1 ]; then sections+=("$title" "$file"); fi
}

metrics=()
running=()
trap 'for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done' EXIT

# expose NAME METRIC FLAGS…: builds app/NAME, runs it and adds what it exposes, as soon as METRIC is there.
# What this very tree exposes: a metric that the change drops is missed here, not after the release.
expose() {
  local name=$1 metric=$2 log=$out/$1.log address=""
  shift 2
  go build -o ".cache/bin/$name" "./app/$name"
  ".cache/bin/$name" "$@" --listen=127.0.0.1:0 --log-format=json >"$log" 2>&1 &
  local pid=$!
  running+=("$pid")
  for _ in $(seq 100); do
    address=$(sed -n 's/.*"msg":"listening".*"address":"\([^"]*\)".*/\1/p' "$log")
    if [ -n "$address" ] && curl -sf "http://$address/metrics" -o "$out/$name.prom" && grep -q "^$metric" "$out/$name.prom"; then
      kill "$pid"
      metrics+=(--metrics "$out/$name.prom")
      return
    fi
    kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; exit 2; }
    sleep 0.1
  done
  echo "the $name exposes no $metric" >&2
  exit 2
}

if [ -n "${METRICS:-}" ]; then
  for m in $METRICS; do metrics+=(--metrics "$m"); done
else
  expose exporter orders_created_total --self-traffic=50
  # Two channels and a heartbeat, so that every series is there; nothing is sent.
  mkdir -p "$out/relay"
  echo none >"$out/relay/token"
  cat >"$out/relay/relay.yaml" <<'YAML'
robots:
  ops: {url: "http://127.0.0.1:1/", token_file: token}
  backup: {url: "http://127.0.0.1:1/", token_file: token}
targets:
  ops: {channels: [{robots: [ops], escalate_after: 1m}, {robots: [backup]}]}
heartbeats:
  chain: {timeout: 1h, target: ops}
YAML
  expose relay relay_heartbeat_age_seconds serve --config="$out/relay/relay.yaml" --spool="$out/relay/spool.db"
  # What the others expose was captured once (see .github/metrics/README.md).
  for m in .github/metrics/*.prom; do metrics+=(--metrics "$m"); done
fi

step "format" "$lookout" fmt --check dashboards
step "lint: what is new since $base" "$lookout" lint --new-since="$base" --format="$format" "${paths[@]}"
step "check: what dashboards and alerts use, and what is exposed" "$lookout" check "${metrics[@]}" --format="$format" "${paths[@]}"

section "Lint" "$out/lint.md" "$lookout" lint --new-since="$base" --format=markdown "${paths[@]}"
section "Check" "$out/check.md" "$lookout" check "${metrics[@]}" --format=markdown "${paths[@]}"

# A difference is what the review is about, not a fault: exit code 1 is fine here.
changes() {
  local code=0
  "$@" || code=$?
  if [ "$code" -gt 1 ]; then exit 2; fi
}
printf '\n== diff: what changed since %s\n' "$base" >&2
changes "$lookout" diff "$base" "${paths[@]}"
{
  echo '### What this changes in dashboards and alerts'
  echo
  changes "$lookout" diff --format=markdown --limit=40000 --pictures="$out/pictures" ${PICTURES:+--link="$PICTURES"} "$base" "${paths[@]}"
  for ((i = 0; i < ${#sections[@]}; i += 2)); do
    printf '\n### %s\n\n' "${sections[i]}"
    # A line is at most a few hundred bytes; the comment as a whole has room for 65,536.
    head -n 60 "${sections[i + 1]}" | cut -c1-300
    echo
  done
} >"$out/review.md"
changes "$lookout" diff --html "$base" "${paths[@]}" >"$out/review.html"

printf '\nThe comment is %s, the page with pictures %s.\n' "$out/review.md" "$out/review.html" >&2
exit "$findings"
