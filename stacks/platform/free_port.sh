#!/bin/sh
# Fails if something listens on PORT of HOST, which SERVICE is to get.
set -eu

# 7 is curl's "could not connect"; every other answer, an error in HTTP too, means that the port is in use.
answer=0
curl -s -o /dev/null --max-time 2 "http://$HOST:$PORT/" || answer=$?
if [ "$answer" -ne 7 ]; then
  echo "Port $PORT on $HOST, meant for $SERVICE, is in use. Stop what listens there, or choose another one: ports = { $SERVICE = <port> }." >&2
  exit 1
fi
