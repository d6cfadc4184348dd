"""Who is followed, as it is written, and what is wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Follow, Inet, Promote, Proto, Route, Unix
from ambassador.sources.env import EnvironmentSource
from ambassador.spec import format_assignments
from ambassador.spec.follow import (
    followed_problems,
    format_follow,
    format_none,
    parse_follow,
    parse_none,
    parse_path,
    parse_promote,
    parse_tls,
    parse_user,
    remarks,
)
from tests.property import texts

members = st.lists(texts.inets(texts.hosts, 1), min_size=1, max_size=3, unique=True)
follows = st.builds(
    lambda members, name: Follow("sentinel", tuple(members), name),
    members,
    st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True),
)


@given(follows)
def test_it_is_read_as_it_was_written(follow):
    assert parse_follow(format_follow(follow)) == follow


@given(follows, st.none() | st.just(0.0) | texts.durations, st.sampled_from(Promote))
def test_a_followed_route_survives_writing(follow, none, promote):
    route = Route(
        "redis", Inet("", 6379), (), follow=follow, none=none, promote=promote, user="u",
        password_file="/run/p", health_tls="yes", alias="redis", port=6379,
    )  # fmt: skip
    assert EnvironmentSource({}, format_assignments(route)).read().routes == (route,)


def test_ports_and_the_name_have_defaults():
    follow = parse_follow("sentinel://s1,s2:7,[::1]")
    assert follow.members == (Inet("s1", 26379), Inet("s2", 7), Inet("::1", 26379))
    assert follow.name == "mymaster"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sentinal://s1", 'did you mean "sentinel"'),
        ("s1:26379", "nothing to follow"),
        ("sentinel://", "empty"),
        ("sentinel://s1,s1:26379", "given twice"),
        ("sentinel://s1/a b", "contains a blank"),
        ("sentinel://s1/a/b", "not a name of a set"),
        ("sentinel://s1:1-3", "one port"),
        ("sentinel://user:secret@s1", "user name or password"),
        ("sentinel://" + ",".join(f"s{n}" for n in range(40)), "32 are possible"),
    ],
)
def test_what_is_wrong_is_said_with_an_example_that_works(text, what):
    with pytest.raises(ConfigError) as caught:
        parse_follow(text)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert "secret" not in str(caught.value)
    if problem.example:
        parse_follow(problem.example)


@pytest.mark.parametrize("text", ["wait", "hold=", "hold=0", "refuse=1"])
def test_a_wrong_policy_without_a_primary_is_refused(text):
    with pytest.raises(ConfigError):
        parse_none(text)


@pytest.mark.parametrize("text", ["hold", "hold=10s", "refuse"])
def test_a_policy_without_a_primary_survives_writing(text):
    assert format_none(parse_none(text)) == text


def test_a_password_that_stands_where_its_file_should_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        parse_path("hunter2")
    assert "hunter2" not in str(caught.value)
    assert parse_path("/run/secrets/redis") == "/run/secrets/redis"


def test_users_promotions_and_tls():
    assert (parse_user("probe"), parse_promote("fast")) == ("probe", Promote.FAST)
    assert [parse_tls(text) for text in ("yes", "no", "/ca.pem")] == ["yes", "", "/ca.pem"]
    for parse, text in ((parse_user, "a b"), (parse_promote, "soon"), (parse_tls, "maybe")):
        with pytest.raises(ConfigError):
            parse(text)


PATRONI = Follow("patroni", (Inet("n0", 8008),))
FOLLOW = Follow("sentinel", (Inet("s1", 26379),), "m")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"endpoints": (Endpoint(Inet("a", 1), weight=2),)}, "no weight, no backup"),
        ({"endpoints": (Endpoint(Inet("a", 1), backup=True),)}, "no weight, no backup"),
        ({"endpoints": (Endpoint(Inet("a", 1, 3)),)}, "one port of a host"),
        ({"listen": Inet("", 1, 3)}, "listens on one port"),
        ({"follow": PATRONI, "promote": Promote.FAST}, "is for sentinels"),
        ({"follow": PATRONI, "sentinel_user": "probe"}, "is for sentinels"),
        ({"health": "redis"}, "health=redis has no effect"),
        (
            {
                "follow": None,
                "health": "postgres-primary",
                "endpoints": (Endpoint(Inet("a", 1)), Endpoint(Inet("b", 1))),
            },
            "needs a user",
        ),
        ({"follow": None, "health": "redis", "lag": 3.0}, "how far a replica may be behind"),
        ({"follow": None, "health": "postgres-replica"}, "needs a user"),
        (
            {"follow": None, "health": "redis-replica", "endpoints": (Endpoint(Unix("/x")),)},
            "one port of a host",
        ),
        (
            {"follow": None, "health": "http:8008/x", "endpoints": (Endpoint(Unix("/x")),)},
            "another port of the host",
        ),
        ({"follow": None, "user": "probe"}, "is for a route that follows"),
        ({"follow": None, "promote": Promote.FAST}, "is for a route that follows"),
    ],
)
def test_options_that_do_not_go_together(changes, what):
    fields = {"listen": Inet("", 1), "endpoints": (), "follow": FOLLOW, **changes}
    (problem,) = followed_problems(Route("r", **fields), "variable X")
    assert what in problem.what


def test_a_route_of_datagrams_follows_nothing_and_needs_nothing():
    assert followed_problems(Route("r", Inet("", 1), (), Proto.UDP), "variable X") == []


def test_one_sentinel_is_worth_a_remark():
    assert "one sentinel only" in remarks(Route("r", Inet("", 1), (), follow=FOLLOW))[0]
    three = Follow("sentinel", (Inet("a", 1), Inet("b", 1), Inet("c", 1)), "m")
    assert remarks(Route("r", Inet("", 1), (), follow=three)) == []


def test_patroni_has_a_port_of_its_own_and_no_name():
    found = parse_follow("patroni://n0,n1:9000,[::1]")
    assert found == Follow("patroni", (Inet("n0", 8008), Inet("n1", 9000), Inet("::1", 8008)))
    assert format_follow(found) == "patroni://n0:8008,n1:9000,[::1]:8008"
    for text in ("patroni://n0/lab", "patroni://", "patroni:n0"):
        with pytest.raises(ConfigError):
            parse_follow(text)


def test_one_patroni_and_no_user_are_worth_remarks():
    one, user = remarks(Route("r", Inet("", 1), (), follow=PATRONI))
    assert "one Patroni only" in one and "no user" in user
    two = Follow("patroni", (Inet("n0", 8008), Inet("n1", 8008)))
    assert remarks(Route("r", Inet("", 1), (), follow=two, user="probe")) == []
