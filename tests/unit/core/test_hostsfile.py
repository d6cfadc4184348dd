import pytest

from ambassador.core.hostsfile import HostsLine, addresses_in, parse_hosts

DOCKERS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
ff02::1\tip6-allnodes

# a remark
172.17.0.2\tredis 3f2a9c0d1e2f redis_1   # linked
172.17.0.3 Redis
fd00::2 redis
"""


def test_lines_that_name_something():
    assert parse_hosts(DOCKERS)[3] == HostsLine("172.17.0.2", ("redis", "3f2a9c0d1e2f", "redis_1"))
    assert len(parse_hosts(DOCKERS)) == 6


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "# 10.0.0.1 db", "10.0.0.1", "10.0.0.1 # db", "10.0.0 db", "db 10.0.0.1", "\0 db"],
)
def test_what_names_nothing_is_passed_over(text):
    assert parse_hosts(f"{text}\n10.0.0.9 x\n") == (HostsLine("10.0.0.9", ("x",)),)


def test_a_link_local_address_keeps_its_zone():
    assert parse_hosts("fe80::1%eth0 db") == (HostsLine("fe80::1%eth0", ("db",)),)


@pytest.mark.parametrize("name", ["redis", "REDIS", "redis."])
def test_all_addresses_of_a_name_ipv4_first(name):
    found = addresses_in(DOCKERS.splitlines(), [name])
    assert found == {name: ("172.17.0.2", "172.17.0.3", "fd00::2")}


def test_each_address_once_and_no_part_of_a_name():
    lines = ["10.0.0.1 db\n", "10.0.0.1 db\n", "nowhere db\n"]
    assert addresses_in(lines, ["db", "d"]) == {"db": ("10.0.0.1",), "d": ()}


def test_a_block_list_is_gone_through_once_for_all_names():
    def lines():
        yield from (f"0.0.0.0 ads{number}.example\n" for number in range(1000))
        yield from (f"10.0.0.1 name{number}\n" for number in range(1000))

    found = addresses_in(lines(), [f"name{number}" for number in range(1000)])
    assert set(found.values()) == {("10.0.0.1",)}
