"""The page of the secret hop sets ours beside the best of the others."""

import subprocess
import sys

from bench.tls.page import LOADS, page
from bench.tls.peers import FORGETFUL, PEERS
from tests.identities import Identities


def test_a_figure_stands_over_the_best_of_the_others():
    found = {
        ("HAProxy", "get50"): {"rate": 20000.0, "p99_ms": 4.0, "cpu_us": 50.0},
        ("stunnel", "get50"): {"rate": 10000.0, "p99_ms": 2.0, "cpu_us": 100.0},
        ("ambassador", "get50"): {"rate": 19000.0, "p99_ms": 3.0, "cpu_us": 55.0},
    }
    text = page(found, [peer.label for peer in PEERS], 3, 0.5)
    label = LOADS["get50"][0]
    assert f"| {label} | requests/s | 20,000 | 10,000 | 19,000 | 0.95 | at least 1 |" in text
    assert "|  | p99 ms | 4.00 | 2.00 | 3.00 | 1.50 | at most 1.1 |" in text


def test_ours_is_made_to_forget_what_it_could_resume_by(tmp_path):
    words = """
from ambassador.model import Tls
from ambassador.tls.bundle import load
context = contexts.for_clients(Tls(), load(sys.argv[1]))
sock = TlsSocket(socket.socket(), context, accepts=True)
sock.remember = print
print(context.num_tickets, sock.learn(), sock.remember)
"""
    Identities(tmp_path).pair()
    for forgets, said in (
        (FORGETFUL, "0 True None\n"),
        ("", "1 False <built-in function print>\n"),
    ):
        text = "import socket, sys\nfrom ambassador.tls import contexts\n"
        text += f"from ambassador.tls.stream import TlsSocket\n{forgets}{words}"
        done = subprocess.run(
            [sys.executable, "-c", text, next(tmp_path.glob("big*.pem"))],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == said


def test_both_sides_of_each_speak_of_the_same_ports(tmp_path):
    for peer in PEERS:
        texts = []
        for side in (peer.near, peer.far):
            words = side("program", tmp_path, False)
            text = " ".join(words)
            texts += [
                text + "".join(p.read_text() for p in tmp_path.glob("*.c*") if str(p) in text)
            ]
        assert all("7100" in text and "7101" in text for text in texts), peer.label
