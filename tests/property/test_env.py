"""Whatever stands in the environment: routes, or one ConfigError."""

from hypothesis import example, given
from hypothesis import strategies as st

from ambassador.core.merge import merge
from ambassador.core.names import find
from ambassador.errors import ConfigError
from ambassador.model import Snapshot
from ambassador.settings import SETTINGS, Settings
from ambassador.sources.env import EnvironmentSource
from tests.property import texts

environments = st.dictionaries(texts.variable_names, texts.values, max_size=8)
arguments = st.lists(
    st.one_of(
        texts.garbage,
        st.builds("{}={}".format, texts.variable_names, texts.values),
        texts.ports.map(str),
    ),
    max_size=4,
)
chosen = st.lists(st.sampled_from(["redis", "a", "b-1", "a-1-udp", "nothing"]), max_size=2)


@given(environments, arguments, chosen, st.booleans())
@example({"X_PORT_1_SCTP_START": "x", "X_PORT_1_SCTP": "y"}, [], [], False)
@example({"X_PORT_1_TCP_START": "", "X_PORT_1_TCP_END": "tcp://h:1"}, [], [], False)
@example({}, ["A_PORT_" + "9" * 5000 + "_TCP=tcp://h:1"], [], False)
@example({}, ["", "="], [], True)
def test_any_environment_gives_routes_or_a_config_error(environ, arguments, chosen, in_pod):
    source = EnvironmentSource(environ, arguments, routes=chosen, in_pod=in_pod)
    try:
        snapshot = source.read()
        routes = merge([snapshot]).routes
    except ConfigError as error:
        assert error.problems
        assert all(line.isprintable() for line in str(error).splitlines())
        return
    assert source.read() == snapshot
    assert all(note.isprintable() for note in snapshot.notes)
    assert len({route.name for route in routes}) == len(routes)
    for route in routes:
        assert find(routes, route.name) is route
        assert route.endpoints
        assert route.alias
        assert route.origin


@given(st.lists(texts.routes(), max_size=5))
def test_no_two_desired_routes_share_a_name_or_an_address(routes):
    try:
        desired = merge([Snapshot("environment", tuple(routes))]).routes
    except ConfigError:
        return
    assert len({route.name for route in desired}) == len(routes)
    assert len({(route.proto, route.listen) for route in desired}) == len(routes)


@given(
    st.dictionaries(
        st.sampled_from([setting.variable for setting in SETTINGS.values()])
        | texts.garbage.map("AMBASSADOR_{}".format),
        texts.garbage,
        max_size=4,
    ),
    st.dictionaries(st.sampled_from(list(SETTINGS)), st.none() | texts.garbage, max_size=4),
)
def test_any_settings_give_settings_or_a_config_error(environ, flags):
    try:
        settings = Settings.from_environ(environ, flags)
    except ConfigError as error:
        assert error.problems
        assert all(line.isprintable() for line in str(error).splitlines())
    else:
        assert settings.grace >= 0
