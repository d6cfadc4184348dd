import pytest

from ambassador.core.hostsfile import parse_hosts
from ambassador.core.merge import merge
from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Proto, Unix
from ambassador.sources.env import EnvironmentSource

# What Docker 20.10 sets in a container with --link redis:redis, and more that it finds there.
LINK = {
    "PATH": "/usr/local/bin:/usr/bin",
    "HOSTNAME": "3f2a9c0d1e2f",
    "REDIS_PORT": "tcp://172.17.0.2:6379",
    "REDIS_PORT_6379_TCP": "tcp://172.17.0.2:6379",
    "REDIS_PORT_6379_TCP_ADDR": "172.17.0.2",
    "REDIS_PORT_6379_TCP_PORT": "6379",
    "REDIS_PORT_6379_TCP_PROTO": "tcp",
    "REDIS_NAME": "/redis_ambassador/redis",
    "REDIS_ENV_REDIS_VERSION": "7.0.15",
    "REDIS_ENV_DB_PORT_5432_TCP": "tcp://10.0.0.9:5432",
}
# What kubelet sets for the services redis (one port named "6379-tcp") and kubernetes.
POD = {
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "KUBERNETES_PORT": "tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
    "REDIS_MASTER_SERVICE_HOST": "10.0.0.11",
    "REDIS_MASTER_SERVICE_PORT": "6379",
    "REDIS_MASTER_SERVICE_PORT_6379_TCP": "6379",
    "REDIS_MASTER_PORT": "tcp://10.0.0.11:6379",
    "REDIS_MASTER_PORT_6379_TCP": "tcp://10.0.0.11:6379",
    "REDIS_MASTER_PORT_6379_TCP_PROTO": "tcp",
    "REDIS_MASTER_PORT_6379_TCP_PORT": "6379",
    "REDIS_MASTER_PORT_6379_TCP_ADDR": "10.0.0.11",
    "DB_PORT_5432_TCP": "tcp://10.0.0.12:5432",
    "DB_PORT_9999_SCTP": "sctp://10.0.0.12:9999",
}


def read(environ=(), *arguments, **options):
    return EnvironmentSource(dict(environ), arguments, **options).read()


def routes(environ=(), *arguments, **options):
    return {route.name: route for route in read(environ, *arguments, **options).routes}


def problems(environ=(), *arguments, **options):
    with pytest.raises(ConfigError) as raised:
        read(environ, *arguments, **options)
    return raised.value.problems


def hosts(environ=(), *arguments, **options):
    """Return the route names with the host of their first endpoint."""
    found = routes(environ, *arguments, **options)
    return {name: route.endpoints[0].address.host for name, route in found.items()}


class TestEnvironment:
    def test_the_page_of_the_first_ambassador(self):
        (route,) = read({"REDIS_PORT_6379_TCP": "tcp://192.168.1.52:6379"}).routes
        assert (route.name, route.alias, route.port) == ("redis", "redis", 6379)
        assert route.listen == Inet("", 6379)
        assert route.endpoints == (Endpoint(Inet("192.168.1.52", 6379)),)
        assert route.origin == "environment variable REDIS_PORT_6379_TCP"

    def test_all_that_docker_sets_makes_one_route(self):
        snapshot = read(LINK)
        assert [route.name for route in snapshot.routes] == ["redis"]
        assert (snapshot.source, snapshot.notes) == ("environment", ())

    def test_reading_again_says_the_same(self):
        source = EnvironmentSource(LINK, ["DB_PORT_1_TCP=tcp://h:1"])
        assert source.read() == source.read()
        assert source.name == "environment"

    def test_no_link_variables_make_no_route_and_no_error(self):
        assert read({"PATH": "/bin", "PORT": "80", "DB_PORT": "5432"}).routes == ()

    def test_several_ports_of_one_alias_and_two_protocols(self):
        environ = {
            "REDIS_PORT_6379_TCP": "tcp://h:6379",
            "REDIS_PORT_16379_TCP": "tcp://h:16379",
            "DNS_PORT_53_TCP": "tcp://h:53",
            "DNS_PORT_53_UDP": "udp://h:53",
        }
        assert list(routes(environ)) == ["redis-6379", "redis-16379", "dns-53-tcp", "dns-53-udp"]
        assert routes(environ)["dns-53-udp"].proto is Proto.UDP

    @pytest.mark.parametrize(
        ("name", "route"),
        [
            ("db.1_PORT_80_TCP", "db.1"),
            ("my-db_PORT_80_TCP", "my-db"),
            ("redis_PORT_80_TCP", "redis"),
            ("REDIS_1_PORT_80_TCP", "redis_1"),
            ("A_PORT_1_PORT_80_TCP", "a_port_1"),
            ("_PORT_80_TCP", "port-80"),
            ("X_ENV_Y_PORT_80_TCP", "x_env_y"),
            ("MY_SERVICE_PORT_80_TCP", "my_service"),
        ],
    )
    def test_whatever_the_first_ambassador_took_as_a_name_works(self, name, route):
        assert list(routes({name: "tcp://h:80"})) == [route]

    def test_the_environment_of_a_linked_container_is_not_ours(self):
        ambassador = {
            "REDIS_AMBASSADOR_NAME": "/web/redis_ambassador",
            "REDIS_AMBASSADOR_ENV_REDIS_PORT_6379_TCP": "tcp://192.168.1.52:6379",
        }
        assert read(ambassador).routes == ()

    @pytest.mark.parametrize("value", ["", " ", "\n"])
    def test_an_empty_variable_counts_as_not_set_and_is_mentioned(self, value):
        snapshot = read({"A_PORT_1_TCP": value, "A_PORT_1_TCP_CONNECT": "5s"})
        assert snapshot.routes == ()
        assert snapshot.notes == (
            "A_PORT_1_TCP is empty: counted as not set",
            "A_PORT_1_TCP_CONNECT is not used: A_PORT_1_TCP is empty",
        )

    def test_an_empty_option_counts_as_not_set(self):
        snapshot = read({"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_CONNECT": ""})
        assert snapshot.routes[0].connect == 5
        assert snapshot.notes == ("A_PORT_1_TCP_CONNECT is empty: counted as not set",)

    def test_blanks_at_the_end_are_dropped_as_the_shell_did(self):
        assert hosts({"A_PORT_1_TCP": "tcp://h:1 \r\n"}) == {"a": "h"}

    def test_an_option_without_its_variable_names_the_nearest(self):
        environ = {"REDIS_PORT_6379_TCP": "tcp://h:1", "REDIS_PORT_6378_TCP_CONNECT": "5s"}
        (problem,) = problems(environ)
        assert problem.where == "environment variable REDIS_PORT_6378_TCP_CONNECT"
        assert problem.what == (
            "there is no REDIS_PORT_6378_TCP this option could belong to, "
            'did you mean "REDIS_PORT_6379_TCP"?'
        )
        assert problem.example == "REDIS_PORT_6378_TCP=tcp://192.168.1.52:6378"

    def test_somebody_elses_variable_that_looks_like_an_option_is_left_alone(self):
        assert read({"A_PORT_1_TCP_FOO": "x", "A_PORT_1_TCP_ADDR": "h"}).routes == ()

    def test_the_name_of_the_program_makes_no_route(self):
        snapshot = read({"AMBASSADOR_PORT_80_TCP": "tcp://h:80", "AMBASSADOR_LOG": "json"})
        assert snapshot.routes == ()
        assert snapshot.notes == (
            "AMBASSADOR_PORT_80_TCP makes no route: AMBASSADOR_ is for settings",
        )

    def test_all_that_is_wrong_is_said_at_once(self):
        environ = {
            "A_PORT_1_TCP": "h",
            "B_PORT_2_SCTP": "sctp://h:2",
            "C_PORT_3_TCP_PICK": "x",
            "D_PORT_4_UDP": "tcp://h:4",
            "E_PORT_5_TCP": "tcp://fine:5",
        }
        found = problems(environ, "nonsense")
        assert [problem.where.rpartition(" ")[2] for problem in found] == [
            "nonsense",
            "C_PORT_3_TCP_PICK",
            "A_PORT_1_TCP",
            "B_PORT_2_SCTP",
            "D_PORT_4_UDP",
        ]

    def test_a_secret_is_not_repeated(self):
        text = str(ConfigError(*problems({"A_PORT_1_TCP": "redis://u:secret@h:6379/0"})))
        assert "secret" not in text
        assert "A_PORT_1_TCP=tcp://h:6379" in text

    def test_one_listen_address_twice_is_left_to_merge(self):
        environ = {"A_PORT_1_TCP": "tcp://h:1", "B_PORT_1_TCP": "tcp://h:1"}
        with pytest.raises(ConfigError) as raised:
            merge([read(environ)])
        (problem,) = raised.value.problems
        assert "A_PORT_1_TCP" in problem.what
        assert problem.where == "environment variable B_PORT_1_TCP"

    def test_the_three_aliases_compose_1_made_of_one_link_are_one_route(self):
        environ = {}
        for alias in ("PROJECT_REDIS_1", "REDIS_1", "REDIS"):
            environ[f"{alias}_PORT_6379_TCP"] = "tcp://172.17.0.2:6379"
            environ[f"{alias}_PORT_6379_TCP_ADDR"] = "172.17.0.2"
        snapshot = read(environ)
        assert [route.name for route in snapshot.routes] == ["redis"]
        assert len(snapshot.notes) == 2
        assert "PROJECT_REDIS_1_PORT_6379_TCP says the same" in snapshot.notes[0]

    def test_two_links_with_one_port_are_not_one_route(self):
        environ = LINK | {
            "CACHE_PORT_6379_TCP": "tcp://172.17.0.3:6379",
            "CACHE_PORT_6379_TCP_ADDR": "172.17.0.3",
        }
        assert len(read(environ).routes) == 2

    def test_a_range_that_docker_sets_is_one_route(self):
        environ = {
            "X_PORT_7000_TCP_START": "tcp://h:7000",
            "X_PORT_7000_TCP_END": "tcp://h:7002",
            "X_PORT_7000_TCP_PORT_END": "7002",
            **{f"X_PORT_{port}_TCP": f"tcp://h:{port}" for port in (7000, 7001, 7002)},
        }
        assert routes(environ)["x"].listen == Inet("", 7000, 7002)


class TestArguments:
    def test_an_argument_wins_over_the_variable_of_its_name(self):
        found = routes(LINK, "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379")
        assert found["redis"].endpoints == (Endpoint(Inet("192.168.1.52", 6379)),)
        assert found["redis"].origin == "argument REDIS_PORT_6379_TCP"

    def test_arguments_are_added_to_the_environment(self):
        assert hosts(LINK, "DB_PORT_1_TCP=tcp://h:1") == {"redis": "172.17.0.2", "db": "h"}

    def test_an_argument_sets_an_option_of_a_variable(self):
        assert routes(LINK, "REDIS_PORT_6379_TCP_CONNECT=1s")["redis"].connect == 1

    def test_an_empty_argument_unsets_a_variable(self):
        assert routes(LINK, "REDIS_PORT_6379_TCP=") == {}

    def test_no_text_at_all_is_no_argument(self):
        assert list(routes(LINK, "")) == ["redis"]

    def test_a_value_may_hold_an_equals_sign(self):
        route = routes({}, "A_PORT_1_TCP=tcp://h:1?weight=2")["a"]
        assert route.endpoints[0].weight == 2

    def test_even_a_name_that_would_be_somebody_elses_is_explicit_here(self):
        assert list(routes(LINK, "REDIS_ENV_X_PORT_1_TCP=tcp://h:1")) == ["redis", "redis_env_x"]

    @pytest.mark.parametrize(
        ("argument", "what", "example"),
        [
            (
                "192.168.1.52:6379",
                "is not an assignment; HOST PORT are two arguments",
                "ambassador 192.168.1.52 6379",
            ),
            (
                "tcp://redis:6379",
                "is not an assignment; HOST PORT are two arguments",
                "ambassador redis 6379",
            ),
            (
                "redis",
                "is neither an assignment nor HOST PORT",
                "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379",
            ),
            (
                "REDIS=tcp://h:1",
                "is no link variable",
                "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379",
            ),
            ("=tcp://h:1", "is no link variable", None),
            (
                "redis_port_6379_tcp=tcp://h:1",
                "is no link variable",
                "REDIS_PORT_6379_TCP=tcp://h:1",
            ),
            ("AMBASSADOR_LOG=json", "a setting is an environment variable or a flag", "--log json"),
            ("AMBASSADOR_PORT_1_TCP=tcp://h:1", "makes no route: AMBASSADOR_ is for", None),
            ("KUBERNETES_PORT_1_TCP=tcp://h:1", "makes no route: KUBERNETES_ is ignored", None),
            ("A_PORT_1_TCP_FOO=x", "there is no A_PORT_1_TCP this option", None),
        ],
    )
    def test_an_argument_that_is_none_is_an_error(self, argument, what, example):
        (problem,) = problems({}, argument)
        assert what in problem.what
        assert example in (None, problem.example)

    def test_an_argument_twice_is_an_error(self):
        (problem,) = problems({}, "A_PORT_1_TCP=tcp://h:1", "A_PORT_1_TCP=tcp://g:1")
        assert (problem.where, problem.what) == ("argument A_PORT_1_TCP", "is given twice")

    def test_three_words_are_no_host_and_port(self):
        assert len(problems({}, "redis", "6379", "now")) == 3


class TestHostAndPort:
    def test_the_form_of_the_fork(self):
        (route,) = read({}, "172.17.0.4", "80").routes
        assert route.listen == Inet("", 80)
        assert route.endpoints == (Endpoint(Inet("172.17.0.4", 80)),)
        assert (route.name, route.origin) == ("port-80", "arguments 172.17.0.4 80")

    def test_it_hides_the_environment_and_says_so(self):
        snapshot = read(LINK, "redis", "6379")
        assert len(snapshot.routes) == 1
        assert snapshot.notes == ("REDIS_PORT_6379_TCP is not used: the arguments are HOST PORT",)

    @pytest.mark.parametrize(
        ("host", "port", "name", "address"),
        [
            ("redis", "6379", "redis", Inet("redis", 6379)),
            ("Redis", "6379", "redis", Inet("Redis", 6379)),
            ("nginx.1", "80", "port-80", Inet("nginx.1", 80)),
            ("::1", "80", "port-80", Inet("::1", 80)),
            ("[fd00::52]", "80", "port-80", Inet("fd00::52", 80)),
            ("h", "7000-7003", "h", Inet("h", 7000, 7003)),
        ],
    )
    def test_what_a_host_may_be(self, host, port, name, address):
        route = routes({}, host, port)[name]
        assert route.endpoints[0].address == address
        assert route.listen.ports == address.ports

    @pytest.mark.parametrize(
        ("host", "port", "what", "example"),
        [
            ("h", "x", '"x" is not a port number', "ambassador h 6379"),
            ("h", "0", "the port 0 is not between 1 and 65535", "ambassador h 6379"),
            ("h", "99999", "is not between 1 and 65535", "ambassador h 6379"),
            ("tcp://h", "80", "is not a host name", "ambassador 192.168.1.52 80"),
            ("h:80", "80", "is not a host name", "ambassador 192.168.1.52 80"),
            ("h ", "80", "contains a blank", "ambassador 192.168.1.52 80"),
            ("$(touch x)", "80", "contains a blank", "ambassador 192.168.1.52 80"),
            ("h;id", "80", "is not a host name", "ambassador 192.168.1.52 80"),
        ],
    )
    def test_a_wrong_host_or_port_is_an_error(self, host, port, what, example):
        (problem,) = problems({}, host, port)
        assert what in problem.what
        assert problem.example.startswith(example)

    def test_a_host_that_is_this_one_has_a_line_to_type(self):
        with pytest.raises(ConfigError) as raised:
            merge([read({}, "127.0.0.1", "80")])
        assert raised.value.problems[0].example == "ambassador 192.168.1.52 81"

    def test_both_may_be_wrong(self):
        assert len(problems({}, "a b", "x")) == 2


class TestPod:
    def test_the_routes_must_be_named(self):
        (problem,) = problems(POD)
        assert problem.where == "AMBASSADOR_ROUTES"
        assert "this is a pod" in problem.what
        assert "redis_master, db" in problem.what
        assert problem.example == "AMBASSADOR_ROUTES=redis_master,db"

    def test_a_service_account_says_it_is_a_pod_too(self):
        (problem,) = problems({"A_PORT_1_TCP": "tcp://h:1"}, in_pod=True)
        assert problem.example == "AMBASSADOR_ROUTES=a"

    @pytest.mark.parametrize("name", ["redis-master", "REDIS_MASTER", "redis_master-6379"])
    def test_only_the_named_are_taken_and_looked_at(self, name):
        assert hosts(POD, routes=[name]) == {"redis_master": "10.0.0.11"}

    def test_a_name_that_is_none_gets_the_nearest(self):
        (problem,) = problems(POD, routes=["redis_maste", "db-5432"])
        assert problem.where == "AMBASSADOR_ROUTES"
        assert problem.what == 'there is no route "redis_maste", did you mean "redis_master"?'
        assert problem.expected == "one or more of redis_master, db"

    def test_arguments_are_explicit_enough(self):
        snapshot = read(POD, "A_PORT_1_TCP=tcp://h:1")
        assert [route.name for route in snapshot.routes] == ["a"]
        assert snapshot.notes == ("not taken without AMBASSADOR_ROUTES: redis_master, db",)

    def test_arguments_are_added_to_the_named(self):
        assert set(routes(POD, "A_PORT_1_TCP=tcp://h:1", routes=["redis-master"])) == {
            "a",
            "redis_master",
        }

    def test_a_pod_without_link_variables_is_left_to_other_sources(self):
        quiet = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_PORT_443_TCP": "tcp://h:443"}
        assert read(quiet).routes == ()
        assert read(quiet, routes=["redis"]).routes == ()

    def test_outside_a_pod_the_list_chooses_too(self):
        environ = LINK | {"DB_PORT_1_TCP": "nonsense"}
        assert hosts(environ, routes=["redis"]) == {"redis": "172.17.0.2"}

    def test_one_port_of_several_is_chosen_by_its_long_name(self):
        environ = {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_2_TCP": "tcp://h:2"}
        assert [route.port for route in read(environ, routes=["a-2"]).routes] == [2]
        assert [route.port for route in read(environ, routes=["a"]).routes] == [1, 2]

    def test_a_range_is_chosen_as_a_whole(self):
        environ = {"X_PORT_1_TCP_START": "tcp://h:1", "X_PORT_3_TCP_END": "tcp://h:3"}
        assert routes(environ, routes=["x"])["x"].listen == Inet("", 1, 3)


def test_a_unix_socket_stands_on_either_side():
    route = routes({"A_PORT_1_TCP": "unix:///b", "A_PORT_1_TCP_LISTEN": "unix:///a"})["a"]
    assert (route.listen, route.endpoints[0].address) == (Unix("/a"), Unix("/b"))


def test_the_address_of_a_link_is_followed_by_its_alias():
    hosts = parse_hosts("172.17.0.2 redis 3f2a9c0d1e2f")
    link = {"REDIS_PORT_6379_TCP": "tcp://172.17.0.2:6379"}
    by_engine = {**link, "REDIS_PORT_6379_TCP_ADDR": "172.17.0.2"}
    (followed,) = EnvironmentSource(by_engine, hosts=hosts).read().routes
    assert followed.endpoints[0].address == Inet("redis", 6379)
    (by_hand,) = EnvironmentSource(link, hosts=hosts).read().routes
    assert by_hand.endpoints[0].address == Inet("172.17.0.2", 6379)
