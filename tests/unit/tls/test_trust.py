"""Which authorities are good enough."""

import ssl
import subprocess

from ambassador.tls.trust import trusting


def test_an_authority_without_a_key_usage_is_one_with_every_version_of_python(tmp_path):
    made = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    where = ("-keyout", tmp_path / "ca-key.pem", "-out", tmp_path / "ca.pem", "-subj", "/CN=ca")
    subprocess.run(("openssl", "req", *made, *where), check=True, capture_output=True)
    context = trusting(str(tmp_path / "ca.pem"))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    (authority,) = context.get_ca_certs()
    assert authority["subject"] == ((("commonName", "ca"),),)
