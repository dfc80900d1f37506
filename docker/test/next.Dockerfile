# For tests, never for use: a version that is the same but for a migration more, to try an upgrade.
ARG BASE
FROM ${BASE}
USER root
COPY next.sql /tmp/
RUN cd /opt/tps/lib/python3*/site-packages/hub/store/migrations && mv /tmp/next.sql 9999_next.sql
USER 10001:10001
