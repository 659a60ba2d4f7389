#!/bin/sh
# Has a server of the Prometheus family read its configuration again and makes sure that it did. The handler of /-/reload
# answers only when the reload is over, with the error as its body; the time stamp is checked on top, because something in
# between that answers 200 for everything would otherwise look like success.
#
# SERVER        what messages call it
# SERVER_URL    where it answers on this machine
# METRICS       what the names of its two metrics about reloads begin with, for example prometheus_config
# WAIT_SECONDS  how long to wait for it to be ready (Prometheus replays its write-ahead log first)
set -eu

metric() {
  curl -sS --max-time 10 "$SERVER_URL/metrics" | awk -v name="$METRICS$1" '$1 == name { print $2 }'
}

deadline=$(($(date +%s) + WAIT_SECONDS))
until answer=$(curl -sS --max-time 5 -o /dev/null -w 'HTTP %{http_code}' "$SERVER_URL/-/ready" 2>&1) && [ "$answer" = "HTTP 200" ]; do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "$SERVER at $SERVER_URL was not ready within ${WAIT_SECONDS} s, last answer: $answer" >&2
    exit 1
  fi
  sleep 1
done

before=$(metric _last_reload_success_timestamp_seconds)

answer=$(curl -sS --max-time "$WAIT_SECONDS" -X POST -w '\nHTTP %{http_code}' "$SERVER_URL/-/reload" 2>&1) || true
if [ "${answer##*HTTP }" != 200 ]; then
  echo "$SERVER at $SERVER_URL rejected the new configuration and keeps the old one: $answer" >&2
  exit 1
fi

after=$(metric _last_reload_success_timestamp_seconds)
if [ "$(metric _last_reload_successful)" != 1 ] || [ "$after" = "$before" ]; then
  echo "$SERVER at $SERVER_URL answered the reload with 200 but still runs the configuration of $before" >&2
  exit 1
fi
