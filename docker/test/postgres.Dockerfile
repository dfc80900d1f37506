# Stand-in for tests, never for use: the interface of the image postgres:* that compose.yaml relies on, from Debian's package.
# POSTGRES_PASSWORD_FILE, PGDATA, the first start that makes the cluster, any user; nothing else.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends postgresql-common \
    && sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
    && apt-get install -y -q --no-install-recommends postgresql-17 \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /var/lib/postgresql/data && chmod 1777 /var/lib/postgresql/data && chmod 3777 /var/run/postgresql
# initdb wants its user to have a name; the public image brings a wrapper for that.
RUN useradd --system --uid 10001 anybody
COPY postgres-entrypoint /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
