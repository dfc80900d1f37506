# Stand-in for tests, never for use: the interface of the image prom/prometheus that compose.yaml relies on, from Debian's
# package: the program with our options, promtool, data in /prometheus, any user.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /prometheus && chmod 1777 /prometheus
EXPOSE 9090
ENTRYPOINT ["prometheus"]
