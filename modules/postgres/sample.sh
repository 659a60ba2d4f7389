#!/bin/sh
# A small PostgreSQL with the exporter's user, which rights.sql makes when the data is made.
set -eu
data=/var/lib/postgresql/data/cluster
statements() {
  while read -r line; do
    case $line in
    --* | '') ;;
    *) echo "$line" ;;
    esac
  done
}
if [ ! -s "$data/PG_VERSION" ]; then
  rm -rf "$data" "$data.new"
  initdb --pgdata="$data.new" --username=postgres --auth-local=reject --auth-host=scram-sha-256 --encoding=UTF8 --no-locale >/dev/null
  echo "host all all all scram-sha-256" >>"$data.new/pg_hba.conf"
  echo "$RIGHTS" | statements | postgres --single -D "$data.new" postgres >/dev/null
  mv "$data.new" "$data"
fi
# A new password in the file is taken at every start.
echo "ALTER ROLE lookout PASSWORD '$(cat /secrets/password)';" | postgres --single -D "$data" postgres >/dev/null
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c shared_buffers=8MB -c max_connections=20 \
  -c max_wal_size=64MB -c min_wal_size=32MB -c wal_level=minimal -c max_wal_senders=0 -c autovacuum_max_workers=1 \
  -c max_worker_processes=1 -c max_parallel_workers=0 -c dynamic_shared_memory_type=posix -c track_io_timing=on -c jit=off
