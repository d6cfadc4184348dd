import pytest

from ambassador.core.usual_ports import USUAL_PORTS, USUAL_UDP_PORTS, usual_ports
from ambassador.errors import ConfigError, SourceError
from ambassador.model import Endpoint, Inet, Proto
from ambassador.sources.hosts import HostsSource
from ambassador.spec import parse_ports

# The file of a container on Docker's default bridge; %s stands for its links.
CONTAINER = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
%s
172.17.0.9\t4ab5c6d7e8f9
"""
REDIS = "172.17.0.2\tredis 3f2a9c0d1e2f dokku.redis.lollipop"
CACHE = "172.17.0.3\tcache 4f2a9c0d1e2f redis"
STORE = "172.17.0.4\tstore"


@pytest.fixture
def source(tmp_path):
    def make(*lines, **options):
        path = tmp_path / "hosts"
        path.write_text(CONTAINER % "\n".join(lines))
        return HostsSource(path, **{"hostname": "4ab5c6d7e8f9", **options})

    return make


def problems(source):
    with pytest.raises(ConfigError) as raised:
        source.read()
    return raised.value.problems


def test_a_link_with_a_usual_name_makes_a_route_to_the_name(source):
    snapshot = source(REDIS).read()
    (route,) = snapshot.routes
    assert (route.name, route.alias, route.proto) == ("redis", "redis", Proto.TCP)
    assert route.listen == Inet("", 6379)
    assert route.endpoints == (Endpoint(Inet("redis", 6379)),)
    assert route.origin.startswith("the link redis in /")
    assert (snapshot.source, snapshot.notes) == ("hosts", ())


def test_a_host_that_was_added_counts_too(source):
    (route,) = source("172.17.0.2\tpostgres").read().routes
    assert route.endpoints == (Endpoint(Inet("postgres", 5432)),)


def test_several_links_and_several_ports(source):
    routes = source(REDIS, "172.17.0.5\trabbitmq 5f2a9c0d1e2f x").read().routes
    assert [route.name for route in routes] == ["redis", "rabbitmq-5672", "rabbitmq-15672"]


def test_udp_where_it_is_usual(source):
    routes = source("172.17.0.5\tstatsd").read().routes
    assert {(route.proto, route.listen.port) for route in routes} == {
        (Proto.TCP, 8126),
        (Proto.UDP, 8125),
    }


def test_one_alias_with_two_addresses_is_one_link(source):
    assert len(source(REDIS, "fd00::2\tredis 3f2a9c0d1e2f x").read().routes) == 1


def test_one_container_under_three_aliases_is_one_link(source):
    lines = [
        f"172.17.0.2\t{alias} 3f2a9c0d1e2f project_redis_1"
        for alias in ("project_redis_1", "redis_1", "redis", "store")
    ]
    assert [route.name for route in source(*lines).read().routes] == ["redis"]


def test_one_name_in_two_spellings_is_one_link(source):
    assert len(source("172.17.0.2\tredis", "172.17.0.2\tREDIS").read().routes) == 1


def test_the_name_keeps_its_case_for_the_resolver(source):
    (route,) = source("172.17.0.2\tRedis").read().routes
    assert (route.name, route.endpoints[0].address) == ("redis", Inet("Redis", 6379))


@pytest.mark.parametrize(
    ("alias", "name"),
    [("redis_1", "redis"), ("redis-2", "redis"), ("nginx.1", "nginx"), ("mysql8", "mysql")],
)
def test_a_number_behind_a_usual_name_does_not_matter(alias, name):
    assert [port for port, _ in usual_ports(alias)] == list(USUAL_PORTS[name])


def test_neo4j_is_no_numbered_name():
    assert [port for port, _ in usual_ports("neo4j")] == [7687, 7474]
    assert usual_ports("neo") == []


def test_the_table_has_lower_case_names_and_ports_that_exist():
    for table in (USUAL_PORTS, USUAL_UDP_PORTS):
        for name, ports in table.items():
            assert name == name.lower()
            assert len(set(ports)) == len(ports) > 0
            for port in ports:
                assert parse_ports(str(port)) == Inet("", port)


@pytest.mark.parametrize(
    "line",
    [
        "127.0.0.1\tredis",
        "127.0.1.1\tredis",
        "::1\tredis",
        "0.0.0.0\tredis",
        "ff02::1\tredis",
        "nonsense\tredis",
        "172.17.0.2",
        "# 172.17.0.2 redis",
        "172.17.0.2 # redis",
        "172.17.0.1\thost.docker.internal",
        "172.17.0.1\thost.containers.internal gateway.docker.internal",
        "172.17.0.1\tlocalhost.localdomain",
        "172.17.0.7\tredis 4ab5c6d7e8f9",
        "fe80::1%eth0",
        "::1%\tredis",
        "172.17.0.7\tre$dis",
    ],
)
def test_what_is_no_link_is_left_alone(source, line):
    (problem,) = problems(source(line))
    assert problem.where == "no route"


def test_the_containers_own_long_name_is_left_alone(source):
    own = "172.17.0.9\tredis.example.com redis"
    names = [route.name for route in source(own, hostname="other").read().routes]
    assert names == ["redis"]
    assert [p.where.split()[2] for p in problems(source(own, hostname="redis.example.com"))] == [
        "4ab5c6d7e8f9"
    ]


def test_no_link_at_all_says_which_variable_would_make_a_route(source):
    (problem,) = problems(source())
    assert problem.what == "neither an argument nor a variable nor a link in /etc/hosts makes one"
    assert problem.example == "-e REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379"


def test_a_link_with_an_unknown_name_says_exactly_what_to_add(source):
    (problem,) = problems(source(CACHE))
    assert problem.where.startswith("the link cache in /")
    assert "Docker 29 no longer sets link variables" in problem.what
    assert problem.expected == "a link variable with the port, or -e AMBASSADOR_PORTS=<port>,..."
    assert problem.example == "-e CACHE_PORT_6379_TCP=tcp://cache:6379"


def test_each_link_with_an_unknown_name_has_its_line(source):
    examples = [problem.example for problem in problems(source(CACHE, "172.17.0.4\tmy-app.1"))]
    assert examples == [
        "-e CACHE_PORT_6379_TCP=tcp://cache:6379",
        "-e MY_APP_1_PORT_6379_TCP=tcp://my-app.1:6379",
    ]


def test_an_unknown_name_beside_a_known_one_is_a_note(source):
    snapshot = source(REDIS, CACHE).read()
    assert [route.name for route in snapshot.routes] == ["redis"]
    (note,) = snapshot.notes
    assert "-e CACHE_PORT_6379_TCP=tcp://cache:6379" in note


@pytest.mark.parametrize("line", [CACHE, REDIS])
def test_the_given_ports_are_those_of_the_only_link(source, line):
    routes = source(line, ports=[7000, 7001]).read().routes
    assert [route.listen.port for route in routes] == [7000, 7001]


def test_the_given_ports_are_those_of_the_only_unknown_link(source):
    routes = source(REDIS, CACHE, ports=[7000]).read().routes
    assert [(route.name, route.listen.port) for route in routes] == [
        ("redis", 6379),
        ("cache", 7000),
    ]


def test_ports_that_could_mean_several_links_are_an_error_with_all_lines(source):
    (problem,) = problems(source(CACHE, STORE, ports=[1, 2]))
    assert problem.where == "AMBASSADOR_PORTS"
    assert problem.example == (
        "-e CACHE_PORT_1_TCP=tcp://cache:1 -e CACHE_PORT_2_TCP=tcp://cache:2 "
        "-e STORE_PORT_1_TCP=tcp://store:1 -e STORE_PORT_2_TCP=tcp://store:2"
    )


def test_ports_for_several_known_links_are_an_error_too(source):
    (problem,) = problems(source(REDIS, "172.17.0.4\tpostgres", ports=[7000]))
    assert "could mean any of redis, postgres" in problem.what


def test_only_the_wanted_routes_are_taken(source):
    lines = (REDIS, CACHE, "172.17.0.5\trabbitmq")
    made = source(*lines, routes=["rabbitmq-5672"]).read()
    assert [route.listen.port for route in made.routes] == [5672]
    made = source(*lines, routes=["cache"], ports=[7000]).read()
    assert [route.name for route in made.routes] == ["cache"]


def test_a_wanted_route_that_is_not_there_is_an_error(source):
    (problem,) = problems(source(REDIS, routes=["redis", "db"]))
    assert problem.what == 'there is no route "db"'
    assert problem.expected == "one or more of redis"
    (problem,) = problems(source(REDIS, routes=["redis-7000"]))
    assert problem.what.startswith('there is no route "redis-7000"')
    (problem,) = problems(source(routes=["db"]))
    assert "ALIAS_PORT_" in problem.expected


def test_a_file_that_cannot_be_read_is_no_empty_file(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        HostsSource(tmp_path / "absent").read()
    with pytest.raises(SourceError, match="directory"):
        HostsSource(tmp_path).read()


def test_bytes_that_are_no_text_do_no_harm(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"\xff\xfe\n172.17.0.2 caf\xe9\n172.17.0.2 redis\n")
    assert [route.name for route in HostsSource(path).read().routes] == ["redis"]


def test_outside_a_container_examples_are_what_a_shell_takes(source):
    (problem,) = problems(source(in_container=False))
    assert problem.example == "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379"
    (problem,) = problems(source(CACHE, in_container=False))
    assert problem.example == "CACHE_PORT_6379_TCP=tcp://cache:6379"
    assert "-e " not in problem.expected


def test_a_link_called_ambassador_has_an_example_that_is_no_setting(source):
    (problem,) = problems(source("172.17.0.9\tambassador 0123456789ab"))
    assert problem.example == "-e LINK_PORT_6379_TCP=tcp://ambassador:6379"
