"""A certificate is read once, and names count only where it was verified."""

import ssl

import pytest

from ambassador.model import Tls, Verify
from ambassador.tls import shown
from ambassador.tls.bundle import load
from ambassador.tls.contexts import for_clients, for_endpoint
from tests.identities import Identities


@pytest.fixture
def bundles(tmp_path):
    return [load(one) for one in Identities(tmp_path).pair()]


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = server.wrap_bio(one, other, server_side=True)
    near = client.wrap_bio(other, one)
    for _ in range(2):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return far, near


def test_names_and_the_end_of_a_certificate_are_read_once(bundles, monkeypatch):
    contexts = for_clients(Tls(), bundles[0]), for_endpoint(Tls(), bundles[1], named=False)
    far, near = shake(*contexts)
    assert shown.shown_by(far._sslobj).names.all == ("client-server",)
    assert shown.shown_by(near._sslobj).names.all == ("big-server",)
    assert shown.shown_by(far._sslobj).until == bundles[1].expires
    monkeypatch.setattr(shown, "_read", lambda _: pytest.fail("read again"))
    assert shown.shown_by(shake(*contexts)[0]._sslobj).names.all == ("client-server",)


def test_what_is_not_verified_has_no_names(bundles):
    no = Tls(Verify.NONE)
    far, near = shake(for_clients(no, bundles[0]), for_endpoint(no, bundles[1], named=False))
    assert shown.shown_by(near._sslobj) == shown.shown_by(far._sslobj) == shown.NOBODY


def test_so_many_are_known_and_no_more(bundles, monkeypatch):
    monkeypatch.setattr(shown, "_MOST", 1)
    monkeypatch.setattr(shown, "_known", {})
    contexts = for_clients(Tls(), bundles[0]), for_endpoint(Tls(), bundles[1], named=False)
    for side in shake(*contexts):
        shown.shown_by(side)
        assert len(shown._known) == 1
