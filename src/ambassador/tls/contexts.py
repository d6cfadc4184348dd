"""What OpenSSL is told: which versions, which authorities to trust, which certificate to show."""

from __future__ import annotations

import ssl

from ambassador.model import Tls, Verify
from ambassador.tls.bundle import Bundle, with_key

__all__ = ["ALPN", "for_clients", "for_endpoint"]

ALPN = "ambassador/1"  # agreed on by two ambassadors
_OLDEST = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Of TLS 1.2, those that Mozilla's "intermediate" has: without CBC, and each with a key of its own.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# OpenSSL's X509_V_FLAG_PARTIAL_CHAIN: what is trusted need not have signed itself, as the
# authorities of SPIFFE have not always; no name in Python's ssl before 3.10.
_PARTIAL_CHAIN = 0x80000


def for_clients(tls: Tls, bundle: Bundle) -> ssl.SSLContext:
    """Return what a listener with `tls` says who we are by, and asks clients for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _tune(context, tls)
    context.set_ciphers(_CIPHERS)
    with_key(context, bundle)
    context.set_alpn_protocols([ALPN])
    context.num_tickets = 1  # each is a record more in the handshake, and one is used again
    if tls.verify is Verify.BOTH and bundle.authority:
        _trust(context, bundle.authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def for_endpoint(tls: Tls, bundle: Bundle, *, named: bool) -> ssl.SSLContext:
    """Return how to speak to an endpoint with `tls`; `named`: its certificate must be of its name
    or address.

    Without an authority of ours, and where only the server proves who it is, those of the host are
    trusted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _tune(context, tls)
    context.check_hostname = named and tls.verify is not Verify.NONE
    if tls.verify is Verify.NONE:
        context.verify_mode = ssl.CERT_NONE
    elif tls.verify is Verify.SERVER or not bundle.authority:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if bundle.authority and tls.verify is not Verify.NONE:
        _trust(context, bundle.authority)
    if bundle.proves and tls.verify is not Verify.SERVER:
        with_key(context, bundle)
    if is_ours(tls, bundle):
        context.set_alpn_protocols([ALPN])
    return context


def is_ours(tls: Tls, bundle: Bundle) -> bool:
    """Return whether the endpoint is thought to be another ambassador: a service may refuse a
    protocol that it does not know (RFC 7301, section 3.2).
    """
    return bundle.proves and bool(bundle.authority) and tls == Tls(oldest=tls.oldest)


def _tune(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = _OLDEST[tls.oldest]
    # One side of a session can always be read while the other waits: no need for a second
    # handshake inside (RFC 5746), and compression tells secrets (CRIME).
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION


def _trust(context: ssl.SSLContext, authority: str) -> None:
    context.load_verify_locations(cadata=authority)
    context.verify_flags |= ssl.VerifyFlags(_PARTIAL_CHAIN)
