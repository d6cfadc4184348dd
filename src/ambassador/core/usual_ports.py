"""The ports of well-known services, by the name of their image or link. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ambassador.model import Proto

__all__ = ["USUAL_PORTS", "USUAL_UDP_PORTS", "usual_ports"]

# The ports that the official images EXPOSE to their clients, which link variables used to name; for
# services that Dokku's plugins link, the ports that they expose.
USUAL_PORTS: Mapping[str, tuple[int, ...]] = {
    "activemq": (61616, 8161),
    "arangodb": (8529,),
    "beanstalkd": (11300,),
    "cassandra": (9042,),
    "clickhouse": (9000, 8123),
    "cockroachdb": (26257, 8080),
    "consul": (8500,),
    "couchdb": (5984,),
    "dragonfly": (6379,),
    "elasticsearch": (9200, 9300),
    "etcd": (2379,),
    "graphite": (80, 81, 2003, 8126),
    "httpd": (80,),
    "influxdb": (8086,),
    "kafka": (9092,),
    "keydb": (6379,),
    "mariadb": (3306,),
    "meilisearch": (7700,),
    "memcached": (11211,),
    "minio": (9000,),
    "mongo": (27017,),
    "mongodb": (27017,),
    "mosquitto": (1883,),
    "mssql": (1433,),
    "mysql": (3306,),
    "nats": (4222, 8222),
    "neo4j": (7687, 7474),
    "nginx": (80,),
    "openldap": (389, 636),
    "opensearch": (9200, 9300),
    "oracle": (1521,),
    "percona": (3306,),
    "pg": (5432,),
    "postgis": (5432,),
    "postgres": (5432,),
    "postgresql": (5432,),
    "pulsar": (6650, 8080),
    "qdrant": (6333, 6334),
    "rabbitmq": (5672, 15672),
    "redis": (6379,),
    "redpanda": (9092,),
    "rethinkdb": (28015, 29015, 8080),
    "scylla": (9042,),
    "solr": (8983,),
    "statsd": (8126,),
    "temporal": (7233,),
    "timescaledb": (5432,),
    "typesense": (8108,),
    "valkey": (6379,),
    "vault": (8200,),
    "zookeeper": (2181,),
}
USUAL_UDP_PORTS: Mapping[str, tuple[int, ...]] = {"graphite": (8125,), "statsd": (8125,)}


def usual_ports(alias: str) -> list[tuple[int, Proto]]:
    """Return the ports that services with this alias usually have; redis_1 and redis-2 count as
    redis, nginx.1 as nginx.
    """
    name = alias.lower()
    if name not in USUAL_PORTS:
        name = re.sub(r"[-_.]?\d+$", "", name)
    tcp = [(port, Proto.TCP) for port in USUAL_PORTS.get(name, ())]
    return tcp + [(port, Proto.UDP) for port in USUAL_UDP_PORTS.get(name, ())]
