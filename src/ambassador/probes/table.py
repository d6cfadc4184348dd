"""The probe of each word that the option `health` may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ambassador.model import Proto
from ambassador.ports import Probe
from ambassador.probes.dns import DnsProbe
from ambassador.probes.http import HttpProbe
from ambassador.probes.memcached import MemcachedProbe
from ambassador.probes.mysql import MysqlProbe
from ambassador.probes.nats import NatsProbe
from ambassador.probes.postgres import PostgresProbe
from ambassador.probes.redis import RedisProbe
from ambassador.probes.tcp import TcpProbe
from ambassador.spec.health import http_of

__all__ = ["TABLE", "probe_of"]

TABLE: Mapping[str, Callable[[], Probe]] = {
    "tcp": TcpProbe,
    "redis": RedisProbe,
    "memcached": MemcachedProbe,
    "postgres": PostgresProbe,
    "mysql": MysqlProbe,
    "nats": NatsProbe,
    "dns": lambda: DnsProbe(stream=True),
    "http": HttpProbe,
}


def probe_of(health: str, proto: Proto = Proto.TCP) -> Probe:
    """Return the probe that a route's `health` means; without `health`, the probe for any
    protocol.
    """
    if proto is Proto.UDP:
        return DnsProbe(stream=False)  # the only probe for UDP
    word = health.partition(":")[0].removesuffix("-primary").removesuffix("-replica")
    return HttpProbe(http_of(health)[1]) if word == "http" else TABLE[word or "tcp"]()
