"""A route in a file is the route it was written from; whatever stands there is said or read."""

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ambassador.errors import ConfigError
from ambassador.sources.file import FileSource
from ambassador.spec import format_endpoint, format_options
from tests.property import texts


def read(text):
    with tempfile.NamedTemporaryFile("wb") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        return FileSource(Path(file.name)).read()


def toml(name, route):
    lines = [f"[route.{json.dumps(name)}]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in format_options(route).items()]
    endpoints = json.dumps([format_endpoint(endpoint) for endpoint in route.endpoints])
    return "\n".join([*lines, f"endpoints = {endpoints}", ""])


@given(st.lists(texts.routes(), max_size=3))
def test_what_is_written_is_read(routes):
    text = "".join(toml(f"r{number}", route) for number, route in enumerate(routes))
    found = read(text).routes
    assert [one.name for one in found] == [f"r{number}" for number in range(len(routes))]
    for one, route in zip(found, routes, strict=True):
        assert (one.listen, one.endpoints, one.proto) == (
            route.listen,
            route.endpoints,
            route.proto,
        )
        assert format_options(one) == format_options(route)


keys = st.sampled_from(["listen", "endpoints", "pick", "connect", "health", "rise", "nonsense"])
values = st.one_of(
    texts.values.map(json.dumps),
    st.sampled_from(["1", "-1", "1.5", "nan", "true", "[]", "[1]", "{}", "1979-05-27", "''", "["]),
)
lines = st.one_of(
    st.builds("{} = {}".format, keys, values),
    st.sampled_from(["[route.a]", "[route.'b c']", "[[route.d]]", "[rout]", "route = 1", "# x"]),
    texts.garbage,
)


@given(st.lists(lines, max_size=8).map("\n".join))
def test_any_file_gives_routes_or_a_config_error_that_names_it(text):
    try:
        read(text)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.where.startswith(tempfile.gettempdir())
        assert all(line.isprintable() for line in str(error).splitlines())
