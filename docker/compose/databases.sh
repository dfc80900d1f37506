#!/bin/sh
# Makes the database and the login of every component that has none yet; each may enter its own database only.
# usage: databases.sh COMPONENT...   (passwords are those in /srv/tps)
set -eu
export PGHOST=postgres PGUSER=postgres PGDATABASE=postgres
PGPASSWORD=$(cat /srv/tps/postgres/password)
export PGPASSWORD
run() { psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$@"; }

run <<'SQL'
select 'create role tps_reader nologin' where not exists (select from pg_roles where rolname = 'tps_reader') \gexec
SQL
for name in "$@"; do
    folder=/srv/tps/members/$name
    [ "$name" = directory ] && folder=/srv/tps/directory
    run --set name="$name" --set password="$(cut -d: -f5 "$folder/pgpass")" <<'SQL'
select format('create role %I login in role tps_reader', :'name')
    where not exists (select from pg_roles where rolname = :'name') \gexec
alter role :"name" password :'password';
select format('create database %I owner %I', :'name', :'name')
    where not exists (select from pg_database where datname = :'name') \gexec
revoke all on database :"name" from public;
SQL
done
