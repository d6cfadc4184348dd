"""The OpenSSL contexts: which versions, which authorities to trust, which certificate to show."""

from __future__ import annotations

import ssl

from ambassador.model import Tls, Verify
from ambassador.tls.bundle import Bundle, with_key

__all__ = ["ALPN", "for_clients", "for_endpoint"]

ALPN = "ambassador/1"  # the protocol name by which two ambassadors recognise each other
_OLDEST = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# For TLS 1.2 those of Mozilla's "intermediate" list: no CBC, and a new key for each session.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# OpenSSL's X509_V_FLAG_PARTIAL_CHAIN: a trusted authority need not have signed itself, as those of
# SPIFFE do not always; without a name in Python's ssl before 3.10.
_PARTIAL_CHAIN = 0x80000


def for_clients(tls: Tls, bundle: Bundle) -> ssl.SSLContext:
    """Return the context of a listener with `tls`: the certificate to show, and what is required of
    clients.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _tune(context, tls)
    context.set_ciphers(_CIPHERS)
    with_key(context, bundle)
    context.set_alpn_protocols([ALPN])
    context.num_tickets = 1  # each is one more record in the handshake, and one is used again
    if tls.verify is Verify.BOTH and bundle.authority:
        _trust(context, bundle.authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def for_endpoint(tls: Tls, bundle: Bundle, *, named: bool) -> ssl.SSLContext:
    """Return the context for an endpoint with `tls`; `named`: its certificate must have its name or
    address.

    Without an authority in our bundle, and where only the endpoint proves its identity, the
    authorities of the host are trusted.
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
    """Return whether the endpoint is expected to be another ambassador: a service may refuse a
    protocol name that it does not know (RFC 7301, section 3.2).
    """
    return bundle.proves and bool(bundle.authority) and tls == Tls(oldest=tls.oldest)


def _tune(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = _OLDEST[tls.oldest]
    # No second handshake inside a session (RFC 5746), so that each side can be read while the other
    # waits; no compression, which leaks secrets (CRIME).
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION


def _trust(context: ssl.SSLContext, authority: str) -> None:
    context.load_verify_locations(cadata=authority)
    context.verify_flags |= ssl.VerifyFlags(_PARTIAL_CHAIN)
