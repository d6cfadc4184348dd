# Also builds on python:3.13-slim, and with the builder of Docker 20.10: no BuildKit syntax here.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS runtime
# Debian's image has no Python. python:3.13-slim has one, but its standard library is not
# compiled: a read-only container would compile what it imports at every start.
RUN set -eu; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends ca-certificates nftables; \
    command -v python3 || apt-get install -qy --no-install-recommends python3; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*; \
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    python3 -m compileall -q -x '/(test|ensurepip|site-packages|dist-packages)/' "$stdlib"; \
    cd "$stdlib"; \
    rm -rf test idlelib turtledemo pydoc_data
# CAP_NET_ADMIN (12) and CAP_NET_RAW (13) as file capabilities of the interpreter: `--cap-add` alone
# gives a user other than root nothing. Permitted and not effective (capabilities(7)): a program
# with effective ones cannot be executed at all where they are not granted.
RUN python3 -c 'import os, struct, sys; \
    os.setxattr(os.path.realpath(sys.executable), "security.capability", \
    struct.pack("<5I", 0x02000000, 1 << 12 | 1 << 13, 0, 0, 0))'

FROM runtime AS build
RUN set -eu; \
    apt-get update -q; \
    apt-get install -qy --no-install-recommends binutils ca-certificates; \
    python3 -c 'import ensurepip' || apt-get install -qy --no-install-recommends python3-venv; \
    python3 -m venv /pip; \
    python3 -m venv --without-pip /opt/ambassador
WORKDIR /source
# What it depends on changes less often than the program: a layer of its own.
COPY pyproject.toml ./
RUN set -eu; \
    python3 -c 'import tomllib; \
      project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
      extra = project["optional-dependencies"]; \
      print(*project["dependencies"], *extra["etcd"], *extra["pair"], sep="\n")' \
      >requirements.txt; \
    /pip/bin/pip --python /opt/ambassador/bin/python3 install --no-cache-dir --no-compile \
      --requirement requirements.txt
COPY LICENSE README.md ./
COPY src src
# uvloop's wheel brings its debugging symbols: 16 MB, of which 2 MB are needed.
RUN set -eu; \
    /pip/bin/pip --python /opt/ambassador/bin/python3 install --no-cache-dir --no-compile \
      --no-deps .; \
    find /opt/ambassador -name '*.so' -exec strip --strip-unneeded {} +; \
    /opt/ambassador/bin/python3 -m compileall -q --invalidation-mode unchecked-hash \
      /opt/ambassador/lib; \
    /opt/ambassador/bin/python3 -c 'import py_compile; \
      how = py_compile.PycInvalidationMode.UNCHECKED_HASH; \
      py_compile.compile("src/ambassador/supervisor.py", "/opt/ambassador/supervisor.pyc", \
        doraise=True, invalidation_mode=how)'

FROM runtime
# Seconds since 1970: useradd writes it for today, so that builds of one commit are alike.
ARG SOURCE_DATE_EPOCH
LABEL org.opencontainers.image.title="ambassador" \
      org.opencontainers.image.description="A small, fast, observable go-between in front of a network service" \
      org.opencontainers.image.licenses="MIT"
RUN set -eu; \
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    rm -rf "$stdlib/ensurepip" "$stdlib"/site-packages/pip* /usr/local/bin/pip*; \
    useradd --system --no-log-init --user-group --uid 65532 --home-dir /nonexistent \
      --shell /usr/sbin/nologin ambassador; \
    install -d -o 65532 -g 65532 -m 0700 /run/ambassador /var/lib/ambassador
COPY --from=build /opt/ambassador /opt/ambassador
ENV PATH=/opt/ambassador/bin:$PATH PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
# One check takes 80 ms of CPU time.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["ambassador", "healthcheck"]
# Process 1 passes signals on, reaps orphans, ends as the program ends, and starts it again where it
# was killed: what the first one has left goes on carrying meanwhile. The kernel drops a signal for
# process 1 that it neither handles nor blocks (pid_namespaces(7)), and Python takes a moment until
# it does: 7 of 8 sent as the container started were lost. `env` blocks all of them at once.
ENTRYPOINT ["env", "--block-signal", "/opt/ambassador/bin/python3", "-I", "-S", \
  "/opt/ambassador/supervisor.pyc", "ambassador"]
CMD ["run"]
