#!/bin/sh
# A small Redis whose only user is the exporter's, with the rights of rights.acl.
set -eu
# Not every image has cat; a last line without its end counts, too.
read -r password </secrets/password || [ -n "$password" ]
exec redis-server - <<EOF
bind * -::*
port 6379
save ""
maxmemory 16mb
maxmemory-policy allkeys-lru
user default off
$RIGHTS >$password
EOF
