import contextlib
import ssl
import stat

import pytest

from ambassador.cli.verbs import invoke
from ambassador.tls.bundle import load


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pair_is_two_bundles_that_know_each_other_and_two_lines_to_type(here, capsys):
    assert invoke(["pair", "big-server=192.168.1.52,fd00::1", "client-server"]) == 0
    said = capsys.readouterr().out
    for line in said.splitlines():
        if line.startswith("docker run"):
            assert "-e AMBASSADOR_IDENTITY=/run/secrets/ambassador.pem" in line
    assert "-e REDIS_PORT_6379_TCP_LISTEN=tls://:6379" in said
    assert "-e REDIS_PORT_6379_TCP=tls://192.168.1.52:6379" in said
    for name in ("big-server.pem", "client-server.pem", "ambassador-authority.pem"):
        assert stat.S_IMODE((here / name).stat().st_mode) == 0o600
    big, client = load("big-server.pem"), load("client-server.pem")
    assert big.names.all == ("big-server", "192.168.1.52", "fd00::1")
    assert (big.peer, client.peer) == ("client-server", "big-server")
    assert big.authority == client.authority
    assert 89.9 < (big.expires - big.begins) / 86400 < 90.1


def test_a_pair_is_taken_by_openssl_on_both_sides(here):
    assert invoke(["pair", "big-server", "client-server", "--days", "1"]) == 0
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, name in ((server, "big-server"), (client, "client-server")):
        context.load_cert_chain(f"{name}.pem")
        context.load_verify_locations(f"{name}.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    ins, outs = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    ours = client.wrap_bio(ins[0], outs[0], server_hostname="big-server")
    theirs = server.wrap_bio(outs[0], ins[0], server_side=True)
    for _ in range(3):
        for side in (ours, theirs):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert theirs.getpeercert()["subjectAltName"] == (("DNS", "client-server"),)
    assert outs[1] is not ins[1]


def test_renewed_bundles_have_another_key_and_the_same_names(here, capsys):
    invoke(["pair", "big-server=10.0.0.1", "client-server"])
    before = load("big-server.pem")
    (here / "big-server.pem").chmod(0o640)
    assert invoke(["pair", "--renew", "big-server", "--days", "30"]) == 0
    after = load("big-server.pem")
    assert after.key != before.key
    assert (after.names, after.peer) == (before.names, before.peer)
    assert after.authority == before.authority
    assert stat.S_IMODE((here / "big-server.pem").stat().st_mode) == 0o640
    (here / "foreign.pem").write_text("nothing of ours")
    capsys.readouterr()
    assert invoke(["pair", "--renew"]) == 0
    said = capsys.readouterr().out
    assert "big-server.pem  big-server, 10.0.0.1: valid for 90 days" in said
    assert "client-server.pem" in said


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "has 0 sides"),
        (["one"], "has 1 sides"),
        (["one", "ONE"], "have one name"),
        (["a b", "c"], "blank"),
        (["a_$", "c"], "is not a host name"),
        (["a=1.2.3", "c"], "is not an IPv4 address"),
        (["a", "b", "--days", "0"], "out of range"),
        (["a", "b", "--out", "nowhere"], "is not a folder"),
        (["--renew"], "is not in"),
    ],
)
def test_what_makes_no_pair_is_told_and_nothing_is_written(here, capsys, arguments, what):
    assert invoke(["pair", *arguments]) == 2
    assert what in capsys.readouterr().err
    assert not list(here.iterdir())


def test_what_is_there_is_not_overwritten(here, capsys):
    invoke(["pair", "a", "b"])
    before = (here / "a.pem").read_bytes()
    assert invoke(["pair", "a", "c"]) == 2
    assert "ambassador pair --renew a.pem" in capsys.readouterr().err
    assert (here / "a.pem").read_bytes() == before
    assert not (here / "c.pem").exists()


def test_bundles_of_another_authority_are_not_renewed(here, capsys):
    invoke(["pair", "a", "b"])
    (here / "ambassador-authority.pem").unlink()
    invoke(["pair", "c", "d"])
    assert invoke(["pair", "--renew", "a.pem"]) == 2
    assert "is of another authority" in capsys.readouterr().err
    (here / "ambassador-authority.pem").write_text("garbage")
    assert invoke(["pair", "--renew"]) == 2
    assert "is not an authority with its key" in capsys.readouterr().err
