"""Who may come in, and over TLS, written wrong: each is told and nothing starts, or, while we run,
what was good before stands and a figure says that something is wrong.
"""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.identities import Identities
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.wait import until

R, D = "REDIS_PORT_6379_TCP", "DNS_PORT_5353_UDP"
CLEAR = {R: "tcp://127.0.0.1:1"}
SECRET = {**CLEAR, f"{R}_LISTEN": "tls://:16379"}


def pieces(text):
    """Return certificate, key and authority of a bundle."""
    return ["-----BEGIN" + one for one in text.split("-----BEGIN")[1:]]


@pytest.fixture
def files(tmp_path):
    """What AMBASSADOR_IDENTITY may name, by what is wrong with it."""
    identities = Identities(tmp_path)
    good, other = (Path(identities.bundle(name)) for name in ("good", "other"))
    good = good.rename(tmp_path / "good.pem")
    mine, others = pieces(good.read_text()), pieces(other.read_text())
    texts = {
        "mismatch": mine[0] + others[1] + mine[2],
        "empty": "",
        "garbage": "\0\1garbage",
        "cut": good.read_text()[:-300],
        "senseless": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + mine[1],
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.pem").write_text(text)
    (tmp_path / "folder.pem").mkdir()
    return {path.stem: str(path) for path in tmp_path.glob("*.pem")} | {
        "away": str(tmp_path / "away.pem")
    }


def words_of(environ):
    done = subprocess.run(
        (*COMMAND, "check"), env=clean_environ(**environ), text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({**CLEAR, f"{R}_ALLOW": "10.0.0.1/8"}, "10.0.0.0/8 or 10.0.0.1 is meant"),
        ({**CLEAR, f"{R}_ALLOW": "ten"}, '"ten" is no network'),
        ({**CLEAR, f"{R}_ALLOW": "10.0.0.0/8", f"{R}_DENY": "all"}, "nobody may come in"),
        ({**CLEAR, f"{R}_ALLOW": "@/nowhere/allow"}, "/nowhere/allow: cannot be read"),
        ({**SECRET, f"{R}_PEERS": "tls://x"}, "it matches nothing"),
        ({**SECRET, f"{R}_PEERS": "@/nowhere/peers"}, "/nowhere/peers: cannot be read"),
        (SECRET, "there is no identity to show"),
        (
            {**SECRET, "AMBASSADOR_IDENTITY": "mismatch"},
            "the key does not belong to the certificate",
        ),
        ({**SECRET, "AMBASSADOR_IDENTITY": "empty"}, "is empty"),
        ({**SECRET, "AMBASSADOR_IDENTITY": "garbage"}, "holds no certificate and no key"),
        ({**SECRET, "AMBASSADOR_IDENTITY": "cut"}, "a BEGIN has no END"),
        ({**SECRET, "AMBASSADOR_IDENTITY": "senseless"}, "a certificate makes no sense"),
        ({**SECRET, "AMBASSADOR_IDENTITY": "folder"}, "is not there"),
        ({**SECRET, "AMBASSADOR_IDENTITY": "away"}, "is not there"),
        ({D: "udp://127.0.0.1:1?proxy=v2"}, "proxy"),
        ({D: "udp://127.0.0.1:1", f"{D}_LISTEN": ":5353?proxy=required"}, "proxy"),
    ],
)
def test_what_is_written_wrong_is_told_and_the_exit_code_is_2(files, environ, words):
    name = environ.get("AMBASSADOR_IDENTITY")
    assert words in words_of(environ | ({"AMBASSADOR_IDENTITY": files[name]} if name else {}))


def test_what_becomes_wrong_while_it_runs_is_told_and_counted_and_changes_nothing(files, tmp_path):
    metrics, allow, peers = free_port(), tmp_path / "allow", tmp_path / "peers"
    allow.write_text("127.0.0.0/8\n")
    peers.write_text("client-server\n")
    (good := tmp_path / "good.pem").chmod(0o600)
    right = good.read_text()

    def figure() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as page:
            return b"\nambassador_reload_successful 1" in page.read()

    with Program(
        AMBASSADOR_IDENTITY=str(good),
        AMBASSADOR_METRICS=f"127.0.0.1:{metrics}",
        **{
            R: "tcp://127.0.0.1:1",
            f"{R}_LISTEN": f"tls://127.0.0.1:{free_port()}",
            f"{R}_ALLOW": f"@{allow}",
            f"{R}_PEERS": f"@{peers}",
        },
    ) as program:
        program.started()
        assert figure()
        for path, wrong, before, event in (
            (allow, "10.0.0.1/8\n", "127.0.0.0/8\n", "networks_failed"),
            (peers, "\n", "client-server\n", "networks_failed"),
            (good, "garbage", right, "identity_failed"),
        ):
            count = len(program.said(event))
            path.write_text(wrong)
            until(lambda event=event, count=count: len(program.said(event)) > count)
            assert not figure()
            path.write_text(before)
            until(figure)
