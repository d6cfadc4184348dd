"""A route follows the PostgreSQL that was promoted last; it logs in by SCRAM, MD5, over TLS."""

import pytest

from tests.netns import Namespace
from tests.postgresqls import PROGRAMS, Pair
from tests.program import Program
from tests.wait import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: ./dev test"),
]
A, B = 5501, 5502


@pytest.fixture(scope="module")
def net():
    return Namespace()


@pytest.fixture(scope="module")
def pair(net):
    found = Pair(net, (A, B))
    yield found
    found.close()


def following(net, folder, **options):
    password = folder / "password"
    password.write_text(options.pop("password", "secret") + "\n")
    environ = {
        "DB_PORT_5432_TCP": f"tcp://127.0.0.1:{A},tcp://127.0.0.1:{B}",
        "DB_PORT_5432_TCP_HEALTH": "postgres-primary",
        "DB_PORT_5432_TCP_USER": "probe",
        "DB_PORT_5432_TCP_PASSWORD_FILE": str(password),
        "AMBASSADOR_STATE": str(folder / "state"),
        "AMBASSADOR_PLANE": "relay",
        **{f"DB_PORT_5432_TCP_{key}": value for key, value in options.items()},
    }
    return Program(net=net, measured=False, **environ)


def leads_to(program, port, number=1):
    until(lambda: len(program.said("primary")) >= number, 15)
    assert f"127.0.0.1:{port}:" in program.said("primary")[-1]


@pytest.mark.parametrize("user", ["probe", "md5probe", "overtls"])
def test_each_way_to_log_in(net, pair, tmp_path, user):
    tls = {"HEALTH_TLS": str(pair.authorities)} if user == "overtls" else {}
    with following(net, tmp_path, USER=user, **tls) as program:
        leads_to(program, A)
        assert "secret" not in str(program.events)


@pytest.mark.parametrize(
    ("user", "password"), [("nobody_here", "secret"), ("probe", "wrong"), ("overtls", "secret")]
)
def test_who_is_not_let_in_leads_nowhere(net, pair, tmp_path, user, password):
    with following(net, tmp_path, USER=user, password=password) as program:
        program.wait_for("primary_lost")
        until(lambda: "no member" in program.said("primary_lost")[-1], 5)
        assert not program.said("primary")


def test_the_one_that_was_promoted_last_is_followed_and_the_one_before_never_again(
    net, pair, tmp_path
):
    with following(net, tmp_path) as program:
        leads_to(program, A)
        pair.promote(B)  # the one before goes on and takes writes
        leads_to(program, B, 2)
        assert pair.sql(5432, "select inet_server_port()", "127.0.0.1") == str(B)
        pair.stop(A)
        pair.start(A)
        assert pair.sql(5432, "select inet_server_port()", "127.0.0.1") == str(B)
    with following(net, tmp_path) as program:
        leads_to(program, B)
