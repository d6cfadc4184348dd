from ambassador.probes.http import HttpProbe
from ambassador.probes.table import TABLE, probe_of
from ambassador.probes.tcp import TcpProbe
from ambassador.spec.health import PROBES


def test_every_probe_has_a_word_of_the_grammar():
    assert set(TABLE) == set(PROBES)


def test_without_a_word_a_connection_is_enough_and_http_may_have_a_path():
    assert isinstance(probe_of(""), TcpProbe)
    assert isinstance(probe_of("http"), HttpProbe)
    assert (
        probe_of("http:/healthz").question("h").startswith(b"GET /healthz HTTP/1.1\r\nHost: h\r\n")
    )
    assert b"Host: [::1]\r\n" in probe_of("http").question("::1")
