# One image for every role of the cluster; docker-compose.yml gives each service its command.
FROM python:3.11-slim-bookworm

# tini: whatever outlives a killed worker is adopted by process 1, which must reap it
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*

# the user of the login service; the nodes know the same uid, as hosts of a cluster must
RUN useradd --create-home --uid 1000 --shell /bin/bash ada

COPY pyproject.toml README.md LICENSE /src/
COPY crane_celery /src/crane_celery
COPY beat /src/beat
COPY workers /src/workers
COPY cli /src/cli
COPY packaging /src/packaging
RUN pip install --no-cache-dir /src

COPY docker/prepare /usr/local/bin/prepare-cluster
COPY docker/config.yaml /usr/local/share/crane/config.yaml
ENTRYPOINT ["tini", "--"]
CMD ["crane", "--help"]
