"""The authorities that our own connections trust: to an engine, to etcd, to members that are
followed.
"""

from __future__ import annotations

import ssl

__all__ = ["trusting"]


def trusting(authorities: str | None = None) -> ssl.SSLContext:
    """Return a context that trusts certificates of the `authorities` in that file, or of those of
    this host. Raises OSError, of which ssl.SSLError is one.

    The rules are the same in all versions of Python: 3.13 requires a key usage of an authority
    (VERIFY_X509_STRICT, docs.python.org/3/library/ssl.html). Neither Docker nor etcdctl does, and
    the authority of Docker's own guide has none (docs.docker.com/engine/security/protect-access).
    """
    context = ssl.create_default_context(cafile=authorities)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
