#!/bin/sh
# Makes every password of the platform that is not there yet, each in the folder of those who may know it.
# usage: secrets.sh COMPONENT...   (the folders in /srv/tps are volumes)
# PROVISIONER_PASSWORD: take this one at the broker; MANAGEMENT_IP: where its management interface listens, if not at
# 127.0.0.1 alone.
set -eu
umask 077
cd /srv/tps
password() { python -c 'import secrets; print(secrets.token_urlsafe(24))'; }

mkdir -p postgres grafana members/broker members/hub
for file in postgres/password grafana/password members/hub/pages.password; do
    [ -s "$file" ] || password >"$file"
done
for name in "$@"; do
    folder=members/$name
    [ "$name" = directory ] && folder=directory
    mkdir -p "$folder"
    [ -s "$folder/pgpass" ] || echo "postgres:5432:*:$name:$(password)" >"$folder/pgpass"
done
if [ ! -s members/broker/provisioner.password ]; then
    made=${PROVISIONER_PASSWORD:-$(password)}
    printf 'default_user = provisioner\ndefault_pass = %s\nlog.console = true\n' "$made" >members/broker/provisioner.conf
    echo "$made" >members/broker/provisioner.password
fi
# Read after rabbitmq.conf, so that it holds.
[ -z "${MANAGEMENT_IP:-}" ] || echo "management.tcp.ip = $MANAGEMENT_IP" >members/broker/service.conf
