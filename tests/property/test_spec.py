"""The grammar: what is written can be read, and nonsense is refused in one way only."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ambassador.errors import ConfigError
from ambassador.model import Pick, Proto
from ambassador.sources.env import EnvironmentSource
from ambassador.spec import (
    OPTIONS,
    format_address,
    format_assignments,
    format_duration,
    format_endpoint,
    format_endpoints,
    format_size,
    parse_duration,
    parse_endpoint,
    parse_endpoints,
    parse_host,
    parse_keepalive,
    parse_listen,
    parse_listening,
    parse_option,
    parse_pick,
    parse_ports,
    parse_size,
    parse_variable,
)
from ambassador.spec.text import shown
from tests.property import texts


@given(texts.listens)
def test_a_listen_address_survives_writing(address):
    assert parse_listen(format_address(address)) == address


@given(texts.endpoints() | texts.endpoints(Proto.UDP))
def test_an_endpoint_survives_writing(endpoint):
    assert parse_endpoint(format_endpoint(endpoint), proto=endpoint.proto) == endpoint


@given(st.lists(texts.endpoints(), min_size=1, max_size=5, unique_by=lambda end: end.address))
def test_endpoints_survive_writing(endpoints):
    assert parse_endpoints(format_endpoints(endpoints)) == tuple(endpoints)


@given(st.floats(1e-9, 3e7) | st.integers(0, 31536000).map(float))
def test_a_duration_survives_writing(seconds):
    assert parse_duration(format_duration(seconds), zero=True) == seconds


@given(st.integers(0, 10**14))
def test_a_size_survives_writing(size):
    assert parse_size(format_size(size)) == size


@given(texts.routes())
def test_a_route_survives_writing(route):
    arguments = format_assignments(route)
    assert EnvironmentSource({}, arguments).read().routes == (route,)


@given(texts.odd_endpoints)
def test_what_is_written_otherwise_is_read_once_and_for_all(text):
    endpoint = parse_endpoint(text)
    assert parse_endpoint(format_endpoint(endpoint)) == endpoint


PARSERS = {
    parser.__name__: parser
    for parser in (
        *(parse_endpoint, parse_endpoints, parse_listen, parse_listening, parse_host, parse_ports),
        *(parse_duration, parse_keepalive, parse_size, parse_pick),
    )
}


@pytest.mark.parametrize("name", PARSERS)
@given(text=texts.garbage)
@example(text="tcp://" + "9" * 5000)
@example(text="9" * 5000)
@example(text="\ud800")
def test_nonsense_gives_a_config_error_that_fits_a_terminal(name, text):
    try:
        PARSERS[name](text, "argument X")
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.where == "argument X"
            lines = str(problem).splitlines()
            assert all(line.isprintable() for line in lines)
            assert len(lines) <= 4


@pytest.mark.parametrize("proto", Proto)
@given(key=st.sampled_from([*OPTIONS, "health"]) | st.text(max_size=5), text=texts.garbage)
def test_nonsense_for_an_option_gives_a_config_error(proto, key, text):
    try:
        parse_option(key, text, proto)
    except ConfigError as error:
        assert error.problems


@pytest.mark.parametrize("proto", [None, *Proto])
@given(text=texts.garbage)
def test_the_example_in_an_error_is_right(proto, text):
    try:
        parse_endpoint(text, proto=proto)
    except ConfigError as error:
        for problem in error.problems:
            parse_endpoint(problem.example, proto=proto)
    try:
        parse_listen(text)
    except ConfigError as error:
        for problem in error.problems:
            parse_listen(problem.example)


@given(
    scheme=st.sampled_from(["tcp://", "redis://", "udp://", "://", ""]),
    user=st.sampled_from(["", "user", "us/er", "u?"]),
    after=st.sampled_from(["h:1", "", "h:1,tcp://g:2", "[::1]:1?backup", " ", "@"]),
)
def test_a_password_is_never_shown(scheme, user, after):
    text = f"{scheme}{user}:hunter2@{after}"
    assert "hunter2" not in shown(text)
    try:
        parse_endpoints(text)
    except ConfigError as error:
        assert "hunter2" not in str(error)


@given(texts.variable_names)
def test_a_name_is_taken_apart_without_loss(name):
    variable = parse_variable(name)
    if variable is not None:
        companion = f"_{variable.companion}" if variable.companion else ""
        assert variable.main + companion == name


@given(st.sampled_from(Pick))
def test_each_pick_has_its_word(pick):
    assert parse_pick(str(pick)) is pick
