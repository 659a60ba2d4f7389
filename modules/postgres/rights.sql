-- The user of postgres_exporter: it sees statistics, settings and activity, and reads no table of anyone.
CREATE ROLE lookout LOGIN PASSWORD '<password>' CONNECTION LIMIT 3;
GRANT pg_monitor TO lookout;
