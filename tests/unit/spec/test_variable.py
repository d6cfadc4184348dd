import pytest

from ambassador.model import Endpoint, Inet, Pick, Proto, Route, Unix
from ambassador.spec import Variable, format_assignments, format_name, parse_variable
from ambassador.spec.variable import is_foreign, is_injected_setting, is_link


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("REDIS_PORT_6379_TCP", Variable("REDIS", "6379", "TCP")),
        ("redis_PORT_6379_TCP", Variable("redis", "6379", "TCP")),
        ("db.1_PORT_53_UDP", Variable("db.1", "53", "UDP")),
        ("my-db_PORT_53_UDP", Variable("my-db", "53", "UDP")),
        ("_PORT_1_TCP", Variable("", "1", "TCP")),
        ("A_PORT_1_PORT_2_TCP", Variable("A_PORT_1", "2", "TCP")),
        ("A_PORT_1_TCP_PORT_2_TCP", Variable("A_PORT_1_TCP", "2", "TCP")),
        ("X_PORT_1_SCTP", Variable("X", "1", "SCTP")),
        ("X_PORT_1_TCP_ADDR", Variable("X", "1", "TCP", "ADDR")),
        ("X_PORT_1_TCP_PORT_START", Variable("X", "1", "TCP", "PORT_START")),
        ("X_PORT_1_TCP_CONNECT", Variable("X", "1", "TCP", "CONNECT")),
        ("X_PORT", None),
        ("X_NAME", None),
        ("X_PORT_TCP", None),
        ("X_PORT__TCP", None),
        ("X_PORT_http_TCP", None),
        ("X_PORT_1_tcp", None),
        ("X_PORT_1_TCP_", None),
        ("X_PORT_1_TCPS", None),
        ("X_PORT_\u0661_TCP", None),
        ("PORT_1_TCP", None),
        ("X\x1b_PORT_1_TCP", None),
        ("X_PORT_1_TCP\n", None),
        ("", None),
    ],
)
def test_a_name_is_a_link_variable_or_not(name, variable):
    assert parse_variable(name) == variable


def test_a_companion_knows_its_link_variable():
    variable = parse_variable("X_PORT_1_TCP_CONNECT")
    assert variable is not None
    assert variable.main == "X_PORT_1_TCP"


@pytest.mark.parametrize(
    ("name", "others", "foreign"),
    [
        ("KUBERNETES_PORT_443_TCP", {}, True),
        ("X_ENV_DB_PORT_1_TCP", {"X_NAME": "/a/x"}, True),
        ("X_ENV_DB_PORT_1_TCP", {"X_PORT": "tcp://h:1"}, True),
        ("X_ENV_DB_PORT_1_TCP", {"X_PORT_1_UDP": "udp://h:1"}, True),
        ("X_ENV_DB_PORT_1_TCP", {"Y_NAME": "/a/y"}, False),
        ("X_ENV_DB_PORT_1_TCP", {}, False),
        ("A_ENV_X_ENV_DB_PORT_1_TCP", {"A_ENV_X_NAME": "/a/x"}, True),
        ("REDIS_SERVICE_PORT_6379_TCP", {"REDIS_SERVICE_HOST": "10.0.0.1"}, True),
        ("REDIS_SERVICE_PORT_6379_TCP", {}, False),
        ("REDIS_PORT_6379_TCP", {"REDIS_NAME": "/a/redis", "REDIS_SERVICE_HOST": "h"}, False),
    ],
)
def test_what_belongs_to_somebody_else(name, others, foreign):
    value = "6379" if "SERVICE_PORT" in name else "tcp://h:1"
    assert is_foreign(name, {name: value, **others}) is foreign


def test_a_route_to_a_service_called_service_is_ours():
    environ = {"MY_SERVICE_PORT_80_TCP": "tcp://h:80", "MY_SERVICE_HOST": "10.0.0.1"}
    assert not is_foreign("MY_SERVICE_PORT_80_TCP", environ)


def test_a_link_has_a_name_or_ports():
    assert is_link("X", {"X_NAME": "/a/x"})
    assert is_link("X", {"X_PORT_1_TCP": "tcp://h:1"})
    assert not is_link("X", {"X_Y_PORT_1_TCP": "tcp://h:1", "XX_NAME": "/a/xx"})


@pytest.mark.parametrize(
    ("name", "value", "injected"),
    [
        ("AMBASSADOR_PORT", "tcp://10.0.0.1:80", True),
        ("AMBASSADOR_PORT", "80", False),
        ("AMBASSADOR_PORT_80_TCP", "tcp://10.0.0.1:80", True),
        ("AMBASSADOR_PORT_80_TCP_ADDR", "10.0.0.1", True),
        ("AMBASSADOR_SERVICE_HOST", "10.0.0.1", True),
        ("AMBASSADOR_SERVICE_PORT_HTTP", "80", True),
        ("AMBASSADOR_ADMIN_SERVICE_HOST", "10.0.0.1", True),
        ("AMBASSADOR_ADMIN_PORT_8877_TCP", "tcp://10.0.0.1:8877", True),
        ("AMBASSADOR_NAME", "/web/ambassador", True),
        ("AMBASSADOR_NAME", "web", False),
        ("AMBASSADOR_ENV_PATH", "/bin", False),
        ("AMBASSADOR_LOGS", "json", False),
    ],
)
def test_what_docker_and_kubernetes_set_is_no_setting(name, value, injected):
    assert is_injected_setting(name, {name: value}) is injected


def test_the_environment_of_a_link_called_ambassador_is_no_setting():
    environ = {"AMBASSADOR_ENV_FOO": "x", "AMBASSADOR_NAME": "/web/ambassador"}
    assert is_injected_setting("AMBASSADOR_ENV_FOO", environ)


@pytest.mark.parametrize(
    ("route", "assignments"),
    [
        (
            Route("redis", Inet("", 6379), (Endpoint(Inet("h", 1)),), alias="redis", port=6379),
            ("REDIS_PORT_6379_TCP=tcp://h:1",),
        ),
        (
            Route(
                "x-7000",
                Inet("", 7000, 7003),
                (Endpoint(Inet("h", 1, 4)),),
                alias="x",
                port=7000,
            ),
            ("X_PORT_7000_TCP=tcp://h:1-4",),
        ),
        (
            Route(
                "dns",
                Inet("::1", 5353),
                (Endpoint(Inet("h", 53), Proto.UDP),),
                Proto.UDP,
                Pick.FIRST,
                idle=5,
                port=53,
            ),
            (
                "DNS_PORT_53_UDP=udp://h:53",
                "DNS_PORT_53_UDP_LISTEN=[::1]:5353",
                "DNS_PORT_53_UDP_PICK=first",
                "DNS_PORT_53_UDP_IDLE=5s",
            ),
        ),
        (
            Route("h", Inet("", 80), (Endpoint(Inet("h", 80)),)),
            ("H_PORT_80_TCP=tcp://h:80",),
        ),
        (
            Route("u", Unix("/a"), (Endpoint(Unix("/b")),), port=1),
            ("U_PORT_1_TCP=unix:///b", "U_PORT_1_TCP_LISTEN=unix:///a"),
        ),
    ],
)
def test_a_route_is_written_as_assignments(route, assignments):
    assert format_assignments(route) == assignments
    assert format_name(route) == assignments[0].partition("=")[0]
