"""What went wrong over TLS, in words for people."""

from __future__ import annotations

import ssl

__all__ = ["spoken"]

_WORDS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "UNEXPECTED_MESSAGE": "it does not speak TLS",
    "HTTP_REQUEST": "it does not speak TLS",
    "PACKET_LENGTH_TOO_LONG": "it does not speak TLS",
    "RECORD_LAYER_FAILURE": "it does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "it speaks no version of TLS that may be spoken here",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no version of TLS that may be spoken here",
    "NO_SHARED_CIPHER": "it shares no cipher",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate, and got none",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the authority of our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate is out of date",
    "TLSV1_ALERT_ACCESS_DENIED": "it does not let our identity in",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it and we have no version, cipher or group in common",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection in the handshake",
}


def spoken(error: Exception) -> str:
    """Return what went wrong, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return _WORDS.get(reason, reason.lower().replace("_", " ") or str(error))
    return str(error) or type(error).__name__
