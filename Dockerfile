# Also builds on python:3.13-slim, and with the builder of Docker 20.10: no BuildKit syntax here.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS python
# Debian's image has no Python. python:3.13-slim has one whose standard library is not compiled:
# a read-only container would compile it anew at every start.
RUN set -eu; \
    if ! command -v python3 >/dev/null; then \
      apt-get update -q; \
      apt-get install -qy --no-install-recommends python3; \
      rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log; \
    fi; \
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    python3 -m compileall -q -x 'ensurepip|idlelib|turtledemo|lib2to3|site-packages|dist-packages|/test/' "$stdlib"

FROM python AS build
RUN set -eu; \
    if ! python3 -c 'import ensurepip' 2>/dev/null; then \
      apt-get update -q; \
      apt-get install -qy --no-install-recommends ca-certificates python3-venv; \
    fi; \
    python3 -m venv /pip; \
    python3 -m venv --without-pip /opt/ambassador
WORKDIR /source
COPY LICENSE README.md pyproject.toml ./
COPY src src
RUN set -eu; \
    /pip/bin/pip --python /opt/ambassador/bin/python3 install --no-cache-dir --no-compile .; \
    /opt/ambassador/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/ambassador/lib

FROM python
LABEL org.opencontainers.image.title="ambassador" \
      org.opencontainers.image.description="A small, fast, observable go-between in front of a network service" \
      org.opencontainers.image.licenses="MIT"
RUN set -eu; \
    useradd --system --no-log-init --user-group --uid 65532 --home-dir /nonexistent --shell /usr/sbin/nologin ambassador; \
    install -d -o 65532 -g 65532 -m 0700 /run/ambassador
COPY --from=build /opt/ambassador /opt/ambassador
ENV PATH=/opt/ambassador/bin:$PATH PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["ambassador", "healthcheck"]
ENTRYPOINT ["ambassador"]
CMD ["run"]
