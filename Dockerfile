# syntax=docker/dockerfile:1
# The daemon's image. From the root of the repository:
#
#     docker build -t headway .
#     docker run --rm -v headway-run:/run/headway -v headway-ledger:/var/lib/headway \
#         -v ./headway.yaml:/etc/headway/headway.yaml:ro -e DEEPSEEK_API_KEY headway
#
# BASE_IMAGE is any Debian with python3 (3.11 or later) and its venv module. RUNTIME_IMAGE may be a
# smaller one that has the same Python at the same path; it needs no shell and no package manager.
ARG BASE_IMAGE=python:3.12-slim-bookworm
ARG RUNTIME_IMAGE=${BASE_IMAGE}

FROM ${BASE_IMAGE} AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Two environments: `tools` has pip and stays here, /opt/headway has neither pip nor setuptools.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/headway

# The locked packages first: this layer changes only with the lock. Wheels alone, so that nothing
# is compiled and a platform without wheels fails here and not in production.
COPY requirements/daemon.lock requirements/dev.lock requirements/
RUN tools/bin/pip --python /opt/headway/bin/python install --no-compile --no-deps \
        --require-hashes --only-binary :all: -r requirements/daemon.lock

# What builds our own wheels, by the same locked hashes: hatchling and what it needs.
RUN awk '/^[^ ]/ { keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' \
        requirements/dev.lock > requirements/build.lock \
    && tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock

COPY pyproject.toml README.md LICENSE ./
COPY sidecar sidecar
COPY clients/python clients/python
RUN tools/bin/pip wheel --no-deps --no-build-isolation -w wheels ./clients/python . \
    && tools/bin/pip --python /opt/headway/bin/python install --no-compile --no-deps --no-index \
        wheels/*.whl

# Byte code for everything: where it is missing every start compiles anew, since a user without
# rights can never write it down. Unchecked: valid whatever a registry does to time stamps.
# compileall writes it even where PYTHONDONTWRITEBYTECODE is set.
RUN /opt/headway/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        /opt/headway/lib \
    && mkdir -p empty

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="headway" \
      org.opencontainers.image.description="A sidecar for services that call large language models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/headway-dev/headway"

# The official Python images come without the standard library's byte code. Time stamps here: a
# base that has its byte code, as Debian's own Python does, is left as it is.
RUN ["python3", "-c", "import compileall, re, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, rx=re.compile(r'(site|dist)-packages|/(ensurepip|idlelib|lib2to3|test|turtledemo)/'))"]

COPY --from=build /opt/headway /opt/headway
# Mount points that belong to the user, for roots that are read-only or not.
COPY --from=build --chown=65532:65532 /build/empty /run/headway
COPY --from=build --chown=65532:65532 /build/empty /var/lib/headway

# SQLite sorts large sums in temporary files, and a read-only root has no other place for them.
ENV PATH=/opt/headway/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SQLITE_TMPDIR=/var/lib/headway
VOLUME ["/run/headway", "/var/lib/headway"]
USER 65532:65532
STOPSIGNAL SIGTERM
# No HEALTHCHECK: `health:` in the configuration opens grpc.health.v1 for whoever probes.
ENTRYPOINT ["headway"]
CMD ["serve"]
