# Stand-in for tests, never for use: what the image python:*-slim is to docker/Dockerfile, from Debian's packages.
ARG BASE
FROM ${BASE}
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
