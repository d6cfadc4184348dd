"""Proofs of a password, by the values that a MariaDB and a MySQL take."""

import hashlib

from ambassador.follow.mysql import native, sha2

SCRAMBLE = bytes(range(1, 21))


def test_the_native_proof_gives_the_stored_value_back():
    stored = hashlib.sha1(hashlib.sha1(b"secret").digest()).digest()
    proof = native(b"secret", SCRAMBLE + b"\0")
    mask = hashlib.sha1(SCRAMBLE + stored).digest()
    first = bytes(a ^ b for a, b in zip(proof, mask, strict=True))
    assert hashlib.sha1(first).digest() == stored


def test_the_proof_by_sha256_gives_the_stored_value_back():
    stored = hashlib.sha256(hashlib.sha256(b"secret").digest()).digest()
    proof = sha2(b"secret", SCRAMBLE + b"\0")
    mask = hashlib.sha256(stored + SCRAMBLE).digest()
    first = bytes(a ^ b for a, b in zip(proof, mask, strict=True))
    assert hashlib.sha256(first).digest() == stored


def test_no_password_is_no_proof():
    assert native(b"", SCRAMBLE) == sha2(b"", SCRAMBLE) == b""
