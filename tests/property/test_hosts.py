"""Whatever stands in /etc/hosts: routes, or one ConfigError."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.merge import merge
from ambassador.errors import ConfigError
from ambassador.sources.hosts import HostsSource
from tests.property import texts

words = st.sampled_from(
    [
        *("172.17.0.2", "fd00::2", "fe80::1%eth0", "::1%", "127.0.0.1", "redis", "REDIS", "cache"),
        *("3f2a9c0d1e2f", "localhost", "#", "redis_1", "graphite", "minio", "clickhouse", "-"),
    ]
)
lines = st.lists(words, max_size=5).map(" ".join) | texts.garbage
files = st.lists(lines, max_size=6).map("\n".join)


@given(
    files,
    st.lists(texts.ports, max_size=2, unique=True),
    st.lists(st.sampled_from(["redis", "redis-6379", "cache"]), max_size=1),
)
def test_any_file_gives_routes_or_a_config_error(text, ports, chosen):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hosts"
        path.write_text(text, errors="ignore")
        source = HostsSource(path, hostname="cache", ports=ports, routes=chosen)
        try:
            desired = merge([source.read()])
        except ConfigError as error:
            assert error.problems
            assert all(line.isprintable() for line in str(error).splitlines())
        else:
            assert desired.routes
