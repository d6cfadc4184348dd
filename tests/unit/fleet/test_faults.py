"""What a refusal of etcd means."""

import json
import ssl

import pytest

from ambassador.errors import ConfigError
from ambassador.fleet.connection import AwayError, Url
from ambassador.fleet.faults import (
    About,
    CompactedError,
    DeniedError,
    NoLeaseError,
    StaleTokenError,
    refusal,
    unlike,
)

PLAIN, TLS = Url("etcd1", 2379, False), Url("etcd1", 2379, True)


@pytest.mark.parametrize(
    ("text", "code", "kind", "words"),
    [
        ("etcdserver: mvcc: required revision has been compacted", 11, CompactedError, ""),
        ("etcdserver: requested lease not found", 5, NoLeaseError, ""),
        ("etcdserver: invalid auth token", 16, StaleTokenError, ""),
        ("etcdserver: revision of auth store is old", 3, StaleTokenError, ""),
        ("etcdserver: permission denied", 7, DeniedError, "the right to write /f/applied"),
        ("etcdserver: user name is empty", 3, ConfigError, "etcd does not let ann in"),
        ("etcdserver: authentication failed, invalid user ID or password", 3, ConfigError, "ann"),
        ("etcdserver: request timed out", 14, AwayError, "http://etcd1:2379: request timed out"),
        ("etcdserver: no leader", 14, AwayError, "no leader"),
        ("etcdserver: mvcc: database space exceeded", 8, AwayError, "alarm NOSPACE"),
    ],
)
@pytest.mark.parametrize("shape", ["gateway", "newer gateway", "stream"])
def test_each_refusal_has_its_meaning(text, code, kind, words, shape):
    body = {
        "gateway": {"error": text, "message": text, "code": code},
        "newer gateway": {"code": code, "message": text, "details": []},
        "stream": {"error": {"grpc_code": code, "http_code": 500, "message": text}},
    }[shape]
    error = refusal(PLAIN, 500, json.dumps(body).encode(), About("write", "/f/applied", "ann"))
    assert type(error) is kind
    assert words in str(error)


def test_nobody_in_particular_is_let_in_where_a_user_is_wanted():
    body = b'{"error":"etcdserver: user name is empty","code":3}'
    error = refusal(PLAIN, 400, body, About("read", "/f"))
    assert "etcd wants a user" in str(error)
    assert "AMBASSADOR_ETCD_USER=" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, b"404 page not found", ConfigError, "older than etcd 3.4 or speaks v2 only"),
        (400, b"Client sent an HTTP request to an HTTPS server.", ConfigError, "speaks TLS"),
        (502, b"<html>", AwayError, "it answers 502 (<html>)"),
        (503, b"[1]", AwayError, "it answers 503"),
    ],
)
def test_what_is_no_gateway_is_told(status, body, kind, words):
    error = refusal(PLAIN, status, body, About())
    assert type(error) is kind
    assert words in str(error)


def untrusted():
    error = ssl.SSLCertVerificationError("y")
    error.verify_message = "self-signed"
    return AwayError("x", error)


AWAY = AwayError("x", ConnectionResetError())


@pytest.mark.parametrize(
    ("error", "url", "spoken", "words"),
    [
        (AWAY, PLAIN, "tls", "speaks TLS, and http:// is written"),
        (AWAY, TLS, "plain", "does not speak TLS, and https://"),
        (AWAY, TLS, "certificate", "wants a certificate of ours"),
        (untrusted(), TLS, "", "is not trusted: self-signed"),
        (AWAY, PLAIN, "", None),
        (AWAY, TLS, "tls", None),
    ],
)
def test_what_was_written_wrong_is_told_from_what_passes_by_itself(error, url, spoken, words):
    found = unlike(error, url, spoken)
    if words is None:
        assert found is None
    else:
        assert words in str(found)
        assert found.problems[0].example
