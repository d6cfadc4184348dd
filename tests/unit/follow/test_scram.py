"""SCRAM-SHA-256 by the example of RFC 7677 section 3, but for the name: PostgreSQL ignores it."""

import base64
import hashlib
import hmac

import pytest

from ambassador.follow.scram import Scram, UnprovenError

NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def test_the_proof_is_what_a_peer_that_knows_the_password_finds():
    scram = Scram("pencil", NONCE)
    assert scram.first == f"n,,n=,r={NONCE}".encode()
    final = scram.final(FIRST)
    salted = hashlib.pbkdf2_hmac(
        "sha256", b"pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096
    )
    without, _, proof = final.rpartition(b",p=")
    said = b",".join((scram.first[3:], FIRST, without))
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
    assert bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True)) == key
    proof_of_its_own = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256")
    scram.check(b"v=" + base64.b64encode(proof_of_its_own))


@pytest.mark.parametrize("answer", [b"", b"r=x,s=AA==,i=1", b"r=" + NONCE.encode() + b",s=!,i=1"])
def test_an_answer_that_is_not_for_us_is_refused(answer):
    with pytest.raises(UnprovenError):
        Scram("pencil", NONCE).final(answer)


def test_one_that_does_not_know_the_password_is_refused():
    scram = Scram("pencil", NONCE)
    scram.final(FIRST)
    with pytest.raises(UnprovenError):
        scram.check(b"v=AAAA")
