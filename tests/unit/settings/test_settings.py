from pathlib import Path

import pytest

from ambassador.errors import ConfigError
from ambassador.settings import SETTINGS, Settings, as_markdown

ROOT = Path(__file__).parents[3]


def problems(environ=(), flags=None):
    with pytest.raises(ConfigError) as raised:
        Settings.from_environ(dict(environ), flags)
    return raised.value.problems


def test_without_anything_everything_has_its_default():
    assert Settings.from_environ({"PATH": "/bin"}) == Settings()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_table_and_the_fields_agree(name):
    setting = SETTINGS[name]
    assert setting.name == name
    if setting.default:
        assert setting.parse(setting.default, "") == getattr(Settings(), name)
    value = setting.parse(setting.example, "")
    assert value != getattr(Settings(), name)
    assert getattr(Settings.from_environ({setting.variable: setting.example}), name) == value
    assert getattr(Settings.from_environ({}, {name: setting.example}), name) == value


def test_every_field_is_in_the_table():
    assert [*SETTINGS, "notes"] == list(Settings.__slots__)


def test_a_flag_wins_even_over_a_wrong_variable():
    environ = {"AMBASSADOR_LOG": "xml", "AMBASSADOR_LEVEL": "debug"}
    settings = Settings.from_environ(environ, {"log": "json", "level": None})
    assert (settings.log, settings.level) == ("json", "debug")


def test_an_empty_variable_counts_as_not_set_and_is_mentioned():
    settings = Settings.from_environ({"AMBASSADOR_LOG": ""})
    assert settings.log == "auto"
    assert settings.notes == ("AMBASSADOR_LOG is empty: counted as not set",)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("routes", "redis, db-5432", ("redis", "db-5432")),
        ("ports", "6379,7000-7002,6379", (6379, 7000, 7001, 7002)),
        ("grace", "500ms", 0.5),
        ("grace", "0", 0),
        ("grace", "off", 0),
        ("buffer", "4096", 4096),
        ("backlog", "65535", 65535),
        ("workers", "auto", None),
        ("workers", "0", 0),
        ("workers", "64", 64),
        ("admin", "off", "off"),
        ("admin", "/run/a.sock", "/run/a.sock"),
        ("admin", "unix:///run/a.sock", "/run/a.sock"),
        ("plane", "relay", "relay"),
        ("plane", "kernel", "kernel"),
        ("keep_rules", "yes", True),
        ("keep_rules", "no", False),
    ],
)
def test_values(name, text, value):
    assert getattr(Settings.from_environ({}, {name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("routes", "a,,b", "empty or has a blank"),
        ("routes", "a b", "empty or has a blank"),
        ("ports", "redis", '"redis" is not a port number'),
        ("ports", "0", "not between 1 and 65535"),
        ("ports", "1,", '"" is not a port number'),
        ("log", "jsn", 'none of the words, did you mean "json"?'),
        ("level", "warn", 'did you mean "warning"?'),
        ("grace", "soon", "is no duration"),
        ("plane", "kernal", 'none of the words, did you mean "kernel"?'),
        ("keep_rules", "maybe", "none of the words"),
        ("loop", "trio", "none of the words"),
        ("buffer", "1", "too small or too large"),
        ("buffer", "1GiB", "too small or too large"),
        ("buffer", "256k", "is no size"),
        ("backlog", "0", "is not a number from 1 to 65535"),
        ("backlog", "65536", "is not a number from 1 to 65535"),
        ("backlog", "1" * 5000, "is not a number from 1 to 65535"),
        ("backlog", "000000001" + "9" * 20, "is not a number from 1 to 65535"),
        ("backlog", "many", "is not a number from 1 to 65535"),
        ("workers", "65", "is neither auto nor a number from 0 to 64"),
        ("workers", "-1", "is neither auto nor a number from 0 to 64"),
        ("workers", "all", "is neither auto nor a number from 0 to 64"),
        ("admin", "run/a.sock", "is not an absolute path"),
        ("admin", "/" + "a" * 107, "is too long for a socket"),
        ("admin", "/a\0b", "is too long for a socket"),
        ("state", "lib/ambassador", "is not an absolute path"),
        ("state", "/a\0b", "is not an absolute path"),
    ],
)
def test_a_wrong_value_names_its_place_and_gives_an_example(name, text, what):
    setting = SETTINGS[name]
    (problem,) = problems({}, {name: text})
    assert problem.where == f"flag {setting.flag}"
    assert what in problem.what
    assert problem.expected
    assert problem.example == f"{setting.flag} {setting.example}"
    (problem,) = problems({setting.variable: text})
    assert problem.where == f"environment variable {setting.variable}"
    assert problem.example == f"{setting.variable}={setting.example}"


def test_all_that_is_wrong_is_said_at_once():
    environ = {"AMBASSADOR_LOG": "x", "AMBASSADOR_FOO": "1", "AMBASSADOR_PORTS": "a,b"}
    assert len(problems(environ, {"grace": "x"})) == 5


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("AMBASSADOR_LOGS", ', did you mean "AMBASSADOR_LOG"?'),
        ("AMBASSADOR_ROUTE", ', did you mean "AMBASSADOR_ROUTES"?'),
        ("AMBASSADOR_log", ', did you mean "AMBASSADOR_LOG"?'),
        ("AMBASSADOR_PORT", ', did you mean "AMBASSADOR_PORTS"?'),
        ("AMBASSADOR_", ""),
    ],
)
def test_an_unknown_setting_names_the_nearest(variable, near):
    (problem,) = problems({variable: "x"})
    assert problem.where == f"environment variable {variable}"
    assert problem.what.startswith("is no setting" + near)
    assert "AMBASSADOR_ROUTES, AMBASSADOR_PORTS" in problem.expected


def test_what_docker_and_kubernetes_set_for_an_ambassador_is_no_setting():
    environ = {
        "AMBASSADOR_PORT": "tcp://10.0.0.1:80",
        "AMBASSADOR_PORT_80_TCP": "tcp://10.0.0.1:80",
        "AMBASSADOR_PORT_80_TCP_ADDR": "10.0.0.1",
        "AMBASSADOR_NAME": "/web/ambassador",
        "AMBASSADOR_ENV_PATH": "/bin",
        "AMBASSADOR_SERVICE_HOST": "10.0.0.1",
        "AMBASSADOR_SERVICE_PORT": "80",
        "AMBASSADOR_ADMIN_SERVICE_PORT_HTTP": "80",
    }
    assert Settings.from_environ(environ) == Settings()


# To write it anew: .venv/bin/python -c "from ambassador import settings
# print(settings.as_markdown(), end='')" > docs/settings.md
def test_the_page_of_settings_is_the_table():
    assert (ROOT / "docs" / "settings.md").read_text() == as_markdown()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("wrong", ["?", "-1", "0.5x", "a b,,", "x" * 200, "\0", ":1-2"])
def test_the_example_of_an_error_ends_it_as_variable_and_as_flag(name, wrong):
    setting = SETTINGS[name]
    for environ, flags in (({setting.variable: wrong}, None), ({}, {name: wrong})):
        try:
            Settings.from_environ(environ, flags)
        except ConfigError as error:
            for one in error.problems:
                key, _, value = one.example.partition("=" if environ else " ")
                assert key == (setting.variable if environ else setting.flag)
                Settings.from_environ({key: value} if environ else {}, flags and {name: value})
