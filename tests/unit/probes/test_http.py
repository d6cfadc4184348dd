import http.server
import threading

import pytest

from tests.answering import saying


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = {"/": 200, "/moved": 302, "/healthz": 204, "/sick": 503}
        self.send_response(known.get(self.path, 404))
        assert self.headers["Host"] == "localhost"
        self.end_headers()

    def log_message(self, *_):
        pass


def test_http_wants_a_status_below_400(verdict):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, args=(0.05,)).start()
        try:
            port = site.server_address[1]
            for good in ("http", "http:/healthz", "http:/moved"):
                assert verdict(good, port) == ""
            assert verdict("http:/sick", port) == "answers GET /sick with 503"
            assert verdict("http:/nowhere", port) == "answers GET /nowhere with 404"
        finally:
            site.shutdown()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", ""),
        (b"+PONG\r\n", "does not answer in HTTP/1.1"),
        (b"", "ends before it has answered"),
    ],
)
def test_what_else_may_be_said(verdict, said, why):
    with saying(said) as port:
        found = verdict("http", port)
        assert why in found
        assert bool(why) == bool(found)
