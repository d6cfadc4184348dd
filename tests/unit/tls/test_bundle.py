from pathlib import Path

import pytest

from ambassador.errors import ConfigError
from ambassador.tls.bundle import load
from tests.identities import Identities


def blocks(path):
    """Return the certificate, the key and the authority of a bundle."""
    text = Path(path).read_text()
    found = text[text.index("-----BEGIN") :].split("-----BEGIN ")[1:]
    return [f"-----BEGIN {one}" for one in found]


def test_one_file_has_all(identities):
    found = load(identities.bundle("big-server", "10.0.0.1", peer="client-server"))
    assert found.names.all == ("big-server", "10.0.0.1")
    assert found.peer == "client-server"
    assert found.proves
    assert found.authority.count("BEGIN CERTIFICATE") == 1
    assert found.chain.count(b"BEGIN CERTIFICATE") == 1
    assert found.issuer.decode() == found.authority
    assert 89 * 86400 < found.expires - found.begins < 91 * 86400
    assert found.exposed == ()
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    "names", [("tls.crt", "tls.key", "ca.crt"), ("svid.pem", "svid_key.pem", "svid_bundle.pem")]
)
def test_a_folder_as_others_write_it(identities, tmp_path, names):
    folder = tmp_path / "secret"
    folder.mkdir()
    for name, text in zip(names, blocks(identities.bundle("a")), strict=True):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    found = load(str(folder))
    assert found.names.all == ("a",)
    assert found.authority
    (folder / names[2]).unlink()
    assert not load(str(folder)).authority
    commas = ",".join(str(folder / name) for name in names[:2])
    assert load(commas).proves


def test_the_issuer_is_shown_where_it_is_sure_which_it_is(identities, tmp_path):
    certificate, key, authority = blocks(identities.bundle("a"))
    stranger = blocks(identities.bundle("b", of="theirs"))[2]
    again = blocks(Identities(tmp_path).bundle("again"))[2]  # of the same name, with another key
    for others, issuer in (
        ((authority,), authority), ((stranger,), ""), ((stranger, authority), authority),
        ((authority, again), ""), ((), ""),
    ):  # fmt: skip
        path = tmp_path / "one.pem"
        path.write_text("".join((certificate, key, *others)))
        found = load(str(path))
        assert found.issuer.decode() == issuer
        assert found.authority == "".join(others)


def test_authorities_alone_say_whom_to_trust(identities, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text(blocks(identities.bundle("a"))[2])
    found = load(str(file))
    assert not found.proves
    assert found.authority


def test_a_key_that_others_may_read_is_noted(identities):
    path = identities.bundle("a")
    Path(path).chmod(0o644)
    assert load(path).exposed == (path,)


GARBAGE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("hello", "holds no certificate and no key"),
        ("{cert}{other_key}{ca}", "the key does not belong to the certificate"),
        ("{cert}{ca}", "no key for it"),
        ("{key}", "a key and no certificate"),
        ("{cert}{key}{key}", "more than one key"),
        ("{garbage}{key}", "makes no sense"),
        ("{cert}{key}{garbage}", "makes no sense"),
        ("{cert}{key}-----BEGIN CERTIFICATE-----\nAAAA", "cut off"),
        ("{cert}{encrypted}", "passphrase"),
        ("{cert}{broken_key}", "does not take"),
    ],
)
def test_what_is_no_identity_is_told(identities, tmp_path, content, what):
    cert, key, ca = blocks(identities.bundle("a"))
    file = tmp_path / "bad.pem"
    label = "ENCRYPTED PRIVATE KEY"
    file.write_text(
        content.format(
            cert=cert,
            key=key,
            ca=ca,
            other_key=blocks(identities.bundle("b"))[1],
            garbage=GARBAGE,
            encrypted=f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n",
            broken_key="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        )
    )
    with pytest.raises(ConfigError, match=what) as caught:
        load(str(file))
    assert "AAAA" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("where", ["/nowhere/x.pem", "/dev/null", "/proc", ",", "a,b,c,d", "\0"])
def test_what_cannot_be_read_is_told(where):
    with pytest.raises(ConfigError, match="AMBASSADOR_IDENTITY"):
        load(where)
