# Clamor in one image: `clamor run` on one machine, or one stage a container (docker-compose.yml, docs/containers.md).
# A releaser pins PYTHON_IMAGE by its digest: --build-arg PYTHON_IMAGE=python@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/engines.txt requirements/engines.txt
RUN python -m venv /opt/clamor && /opt/clamor/bin/pip install --require-hashes -r requirements/engines.txt
COPY . .
RUN /opt/clamor/bin/pip install --no-deps --no-build-isolation .

FROM ${PYTHON_IMAGE}
RUN groupadd --system --gid 10001 clamor \
    && useradd --system --uid 10001 --gid clamor --no-create-home --home-dir /var/lib/clamor --shell /usr/sbin/nologin clamor \
    && install --directory --mode 0700 --owner clamor --group clamor /var/lib/clamor \
    && install --directory --mode 0755 /etc/clamor
COPY --from=build /opt/clamor /opt/clamor
# The home with clamor.yaml may be read-only; what the program writes lies in CLAMOR_DATA.
ENV PATH=/opt/clamor/bin:$PATH CLAMOR_HOME=/etc/clamor CLAMOR_DATA=/var/lib/clamor PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/clamor
EXPOSE 8800
ENTRYPOINT ["clamor"]
CMD ["run"]
