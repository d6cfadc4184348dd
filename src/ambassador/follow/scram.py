"""SCRAM-SHA-256, as a client of PostgreSQL proves that it knows a password (RFC 5802, RFC 7677).
Pure: the nonce is an argument.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

__all__ = ["Scram", "UnprovenError"]

_MOST = 1_000_000  # iterations; a server could keep us busy with more


class UnprovenError(Exception):
    """The other side did not send what it should; the text says what is wrong."""


class Scram:
    """One login: send `first`, give the answer to `final` and send its result, give the answer to
    `check`.
    """

    def __init__(self, password: str, nonce: str) -> None:
        self._password = password.encode()
        self._nonce = nonce
        self._bare = f"n=,r={nonce}"  # PostgreSQL uses the name from the StartupMessage
        self._signature = b""

    @property
    def first(self) -> bytes:
        """The first message; without channel binding."""
        return f"n,,{self._bare}".encode()

    def final(self, answer: bytes) -> bytes:
        """Return the proof that answers `answer`. Raises UnprovenError."""
        fields = _fields(answer)
        try:
            nonce, rounds = fields["r"], int(fields["i"])
            salt = base64.b64decode(fields["s"], validate=True)
        except (KeyError, ValueError, binascii.Error):
            raise UnprovenError("its answer is not SCRAM") from None
        if not nonce.startswith(self._nonce) or not 1 <= rounds <= _MOST:
            raise UnprovenError("its answer is not for us")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        key = _hmac(salted, b"Client Key")
        without_proof = f"c=biws,r={nonce}"
        said = b",".join((self._bare.encode(), answer, without_proof.encode()))
        proof = bytes(
            one ^ other
            for one, other in zip(key, _hmac(hashlib.sha256(key).digest(), said), strict=True)
        )
        self._signature = _hmac(_hmac(salted, b"Server Key"), said)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, answer: bytes) -> None:
        """Raise UnprovenError unless the other side knows the password, too."""
        expected = base64.b64encode(self._signature).decode()
        if not hmac.compare_digest(_fields(answer).get("v", ""), expected):
            raise UnprovenError("it does not know the password itself")


def _fields(text: bytes) -> dict[str, str]:
    parts = (part.partition("=") for part in text.decode(errors="replace").split(","))
    return {key: value for key, _, value in parts}


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha256").digest()
