"""What a refusal of etcd means, for people: what is wrong, which setting it is about, what
helps.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass

from ambassador.errors import AmbassadorError, ConfigError, Problem
from ambassador.fleet.connection import AwayError, Url

__all__ = [
    "About",
    "CompactedError",
    "DeniedError",
    "NoLeaseError",
    "StaleTokenError",
    "refusal",
    "unlike",
]

_ETCD = "AMBASSADOR_ETCD"
# google/rpc/code.proto
_DENIED, _RANGE, _NOBODY = 7, 11, 16
_TOKEN = ("invalid auth token", "revision of auth store is old")


class DeniedError(ConfigError):
    """The user lacks the right to do this."""


class CompactedError(AmbassadorError):
    """Revisions in between are compacted: everything has to be read again."""


class NoLeaseError(AmbassadorError):
    """The lease has ended, or never existed."""


class StaleTokenError(AmbassadorError):
    """The token is not valid any more: log in again."""


@dataclass(frozen=True, slots=True)
class About:
    """What a request is about: the right it needs (read, write), and the key."""

    right: str = ""
    key: str = ""
    user: str = ""


def refusal(url: Url, status: int, body: bytes, about: About) -> AmbassadorError:
    """Return the error that an answer without a result means."""
    try:
        found = json.loads(body)
        inner = found.get("error", found)
        if isinstance(inner, dict):  # of a watch
            text, code = str(inner.get("message", "")), int(inner.get("grpc_code", 2))
        else:  # of a request; newer gateways have `message` alone
            text, code = str(found.get("message", inner)), int(found.get("code", 2))
    except (ValueError, AttributeError, TypeError):
        return _no_gateway(url, status, body)
    return of_text(url, text, code, about)


def of_text(url: Url, text: str, code: int, about: About) -> AmbassadorError:
    """Return the error that `text`, with the gRPC status `code`, means."""
    plain = text.removeprefix("etcdserver: ")
    if any(words in text for words in _TOKEN):
        return StaleTokenError(text)
    if "lease not found" in text:
        return NoLeaseError(text)
    if "compacted" in text or (code == _RANGE and "revision" in text):
        return CompactedError(text)
    return _not_let_in(plain, code, about) or AwayError(f"{url}: {_explained(plain)}")


def _not_let_in(text: str, code: int, about: About) -> ConfigError | None:
    if code == _DENIED or "permission denied" in text:
        return _denied(about)
    if code == _NOBODY or "invalid user ID or password" in text or "user name is empty" in text:
        return _log_in(text, about)
    return None


def _explained(text: str) -> str:
    if "space exceeded" not in text:
        return text
    what = "its quota is used up (alarm NOSPACE), and it takes no writes until that is taken away"
    return f"{what}: etcdctl compact, defrag, alarm disarm"


def _no_gateway(url: Url, status: int, body: bytes) -> AmbassadorError:
    if status == 404:
        what = f"{url} has no /v3: it is older than etcd 3.4 or speaks v2 only, or it is "
        what += "`etcd grpc-proxy`, which has no JSON gateway"
        return ConfigError(Problem(_ETCD, what, "", "members of etcd 3.4 or newer", _example(url)))
    text = body[:100].decode("ascii", "replace").strip()
    if status == 400 and "HTTPS server" in text:
        return _wants_tls(url)
    return AwayError(f"{url}: it answers {status}{f' ({text})' if text else ''}")


def _denied(about: About) -> DeniedError:
    user = f"the user {about.user}" if about.user else "a client without a user name"
    what = f"{user} has not the right to {about.right or 'use'} {about.key}"
    kind = {"read": "read", "write": "write"}.get(about.right, "readwrite")
    example = f"etcdctl role grant-permission ROLE --prefix=true {kind} {about.key}"
    return DeniedError(Problem(f"{_ETCD}_USER", what, "", f"a role with {kind}", example))


def _log_in(text: str, about: About) -> ConfigError:
    if about.user:
        what = f"etcd does not let {about.user} in: {text}"
        expected = "the user of AMBASSADOR_ETCD_USER and its password in the file"
        example = "AMBASSADOR_ETCD_PASSWORD_FILE=/run/secrets/etcd"
        return ConfigError(Problem("AMBASSADOR_ETCD_PASSWORD_FILE", what, "", expected, example))
    what = "etcd wants a user: its authentication is on"
    expected = "a user, and the file with its password"
    return ConfigError(
        Problem(f"{_ETCD}_USER", what, "", expected, "AMBASSADOR_ETCD_USER=ambassador")
    )


def _wants_tls(url: Url) -> ConfigError:
    what = f"{url.host}:{url.port} speaks TLS, and http:// is written"
    example = f"AMBASSADOR_ETCD={Url(url.host, url.port, tls=True)}"
    return ConfigError(Problem(_ETCD, what, str(url), "https://", example))


def _example(url: Url) -> str:
    return f"AMBASSADOR_ETCD={Url('192.168.1.50', 2379, url.tls)}"


def unlike(error: AwayError, url: Url, spoken: str) -> ConfigError | None:
    """Return what is wrong with the setting, where a failed connection shows it; see
    `access.spoken`. None: the failure may pass by itself.
    """
    cause = error.cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"the certificate of {url} is not trusted: {cause.verify_message}"
        expected = "the file with the authority that has signed it"
        example = "AMBASSADOR_ETCD_CA=/etc/etcd/ca.pem"
        return ConfigError(Problem("AMBASSADOR_ETCD_CA", what, "", expected, example))
    if spoken == "tls" and not url.tls:
        return _wants_tls(url)
    if spoken == "plain":
        what = f"{url.host}:{url.port} does not speak TLS, and https:// is written"
        plain = Url(url.host, url.port, tls=False)
        return ConfigError(Problem(_ETCD, what, str(url), "http://", f"AMBASSADOR_ETCD={plain}"))
    if spoken == "certificate":
        what = f"{url} wants a certificate of ours that it trusts"
        expected = "a certificate and its key"
        example = "AMBASSADOR_ETCD_CERT=/etc/etcd/client.pem"
        return ConfigError(Problem("AMBASSADOR_ETCD_CERT", what, "", expected, example))
    return None
