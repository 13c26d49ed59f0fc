# A role and a database of its own: neither migrations nor receivers run as the superuser.
psql -v ON_ERROR_STOP=1 -U postgres -v password="$DATABASE_PASSWORD" <<'SQL'
CREATE ROLE cyclesoft LOGIN PASSWORD :'password';
CREATE DATABASE cyclesoft OWNER cyclesoft;
SQL
