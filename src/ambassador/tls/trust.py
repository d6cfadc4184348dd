"""Whom clients of ours believe that are no consumers: of an engine, of etcd, of members that are
followed.
"""

from __future__ import annotations

import ssl

__all__ = ["trusting"]


def trusting(authorities: str | None = None) -> ssl.SSLContext:
    """Return how to speak TLS with who shows a certificate of the `authorities` in that file, or of
    this host's. Raises OSError, of which ssl.SSLError is one.

    With all versions of Python the same ones: 3.13 asks an authority for a key usage
    (VERIFY_X509_STRICT, docs.python.org/3/library/ssl.html). Neither Docker nor etcdctl do, and
    the authority of Docker's own guide has none (docs.docker.com/engine/security/protect-access).
    """
    context = ssl.create_default_context(cafile=authorities)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
