-- The user of mysqld_exporter: it sees counters, settings and the list of connections, and reads no table of anyone.
CREATE USER IF NOT EXISTS 'lookout'@'%' IDENTIFIED BY '<password>' WITH MAX_USER_CONNECTIONS 3;
GRANT PROCESS, REPLICATION CLIENT ON *.* TO 'lookout'@'%';
