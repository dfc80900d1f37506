# Stand-in for tests, never for use: the interface of the image rabbitmq:*-management that compose.yaml relies on, from
# Debian's package: data in /var/lib/rabbitmq, plugins in /etc/rabbitmq/enabled_plugins, any user.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie \
    && chmod 1777 /var/lib/rabbitmq /var/log/rabbitmq
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin HOME=/var/lib/rabbitmq LANG=C.UTF-8 RABBITMQ_LOGS=-
EXPOSE 5671 15672
CMD ["rabbitmq-server"]
