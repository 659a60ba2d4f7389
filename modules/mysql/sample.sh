#!/bin/sh
# A small MariaDB with the exporter's user, which rights.sql makes at every start. root has no password and can only come in
# through the socket inside this container.
set -eu
data=/var/lib/mysql
if [ ! -d "$data/mysql" ]; then
  mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve >/dev/null
fi
printf '%s\n' "$RIGHTS" "ALTER USER 'lookout'@'%' IDENTIFIED BY '<password>';" |
  sed -e '/^--/d' -e "s/<password>/$(cat /secrets/password)/" >/tmp/rights.sql
exec mariadbd --no-defaults --datadir="$data" --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid --init-file=/tmp/rights.sql \
  --bind-address=0.0.0.0 --port=3306 --skip-name-resolve --performance-schema=OFF --innodb-buffer-pool-size=8M --innodb-log-file-size=8M \
  --innodb-log-buffer-size=1M --key-buffer-size=1M --aria-pagecache-buffer-size=1M --query-cache-size=0 --max-connections=20 \
  --table-open-cache=64 --tmp-table-size=1M --max-heap-table-size=1M --thread-cache-size=2 --slow-query-log=OFF
