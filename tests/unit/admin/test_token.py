import pytest

from ambassador.admin.token import read_token
from ambassador.errors import ConfigError
from ambassador.settings import SETTINGS

TOKEN = "0123456789abcdef"
parse = SETTINGS["api_token"].parse


def test_from_the_variable_or_from_the_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_token(TOKEN, "", parse) == TOKEN
    assert read_token("", str(path), parse) == TOKEN


def test_one_of_the_two(tmp_path):
    with pytest.raises(ConfigError, match="must be set: over TCP the API asks for a token"):
        read_token("", "", parse)
    with pytest.raises(ConfigError, match="is set beside AMBASSADOR_API_TOKEN"):
        read_token(TOKEN, "/t", parse)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a token that can be trusted"),
        (b"short-secret", "not a token that can be trusted"),
        (b"two words of secret", "not a token that can be trusted"),
        (b"secretsecretsecretsecret\xff", "is no ASCII text"),
    ],
)
def test_a_file_that_holds_none_is_told_without_what_it_holds(tmp_path, content, what):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=what) as raised:
        read_token("", str(path), parse)
    assert str(path) in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_token("", str(tmp_path / "none"), parse)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_token("", str(tmp_path), parse)
