"""What an operator, a monitor or a stranger asks of the ambassador."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time

from ambassador.core.commands import (
    Add,
    Cut,
    Drain,
    Hold,
    Maint,
    Move,
    Ready,
    Release,
    Reload,
    Remove,
    Reset,
    Sessions,
    Status,
)
from tests.scenario.gap.scene import NET, Scene


def looks(scene: Scene) -> None:
    """An operator and a program look at everything."""
    with scene.watched():
        for _ in range(2):
            scene.ask(Status())
            scene.ask(Status("f7"))
            scene.ask(Sessions(limit=100_000))
            for path in ("/v1/status", "/v1/sessions", "/v1/events", "/openapi.json", "/metrics"):
                scene.get(path, scene.api)


def changes(scene: Scene) -> None:
    """An operator changes one route in every way there is."""
    spare = f"SPARE_PORT_{scene.port('spare')}_TCP=tcp://127.0.0.1:{scene.behind}"
    here, there = f"tcp://127.0.0.1:{scene.behind}", f"tcp://127.0.0.2:{scene.behind}"
    with scene.watched():
        for command in (
            Add((spare,)), Hold("spare"), Release("spare"), Move("f7", (there,), verify=False),
            Move("f7", (here,)), Move("f7", (there,)), Drain("f8"), Ready("f8"), Maint("f8"),
            Ready("f8"), Drain("f8", deadline=1.0), Cut("f8"), Reset("f8"), Reset("f7"),
            Remove("spare"), Remove("f9"), Reset("f9"), Reload(), Reset(),
        ):  # fmt: skip
            scene.ask(command)


def all_routes(scene: Scene) -> None:
    """An operator adds hundreds of routes, drains an endpoint of thousands, and takes it back."""
    many = [
        text
        for number in range(500)
        for text in (
            f"A{number}_PORT_1_TCP=tcp://127.0.0.1:{scene.behind}",
            f"A{number}_PORT_1_TCP_LISTEN={NET}.8.1:{18000 + number}",
        )
    ]
    endpoint = f"tcp://127.0.0.3:{scene.behind}"
    with scene.watched():
        scene.ask(Add(tuple(many)))
        for verb in (Drain, Maint, Ready):
            scene.ask(verb(endpoint=endpoint))
        scene.ask(Cut(endpoint=f"tcp://127.0.0.1:{scene.dead}"))
        scene.ask(Reset())


def wrong_words(scene: Scene) -> None:
    """Words that mean nothing, and long ones."""
    with scene.watched():
        for _ in range(2):
            scene.ask(Status("r17-or-so"))
            scene.ask(Move("f7", ("?" * 60_000,)))
            scene.ask(Move("?" * 60_000, ("tcp://h:1",)))
            scene.ask(Move("f7", tuple(f"tcp://h{n}:1" for n in range(5000)), verify=False))
            scene.ask(Move("f7", tuple(f"tcp://h{n}:1" for n in range(256)), verify=False))
            scene.ask(Move("f7", (",".join(["tcp://h:1"] * 5000),), verify=False))
            scene.ask(Add(("?" * 60_000,)))
            scene.ask(Add(tuple(f"X{n}=tcp://" for n in range(2000))))
            scene.ask(Reset("f7"))


def wrong_shapes(scene: Scene) -> None:
    """Bodies of 250 KB that are no command, one after the other."""
    bodies = [
        b"{" + b",".join(b'"k%d":1' % number for number in range(20_000)) + b"}",
        b'{"route":"a","endpoints":[' + b",".join([b"1"] * 100_000) + b"]}",
        b'{"route":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"route":"' + b"?" * 250_000 + b'"}',
        b"x" * 250_000,
    ]
    with scene.watched():
        for body in bodies * 2:
            scene.post("/v1/move", body)


def no_http(scene: Scene) -> None:
    """What is not HTTP, or nearly, or TLS, to each door."""
    chunked = b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    hello = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="x")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    with scene.watched():
        for raw in (
            hello.read(),
            chunked + b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n",
            chunked + b"-1\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 4000 + b"\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000,
            b"GET /" + b"%41" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /v1/status?" + b"a=b&" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2000,
            os.urandom(100_000),
        ):
            for where in (scene.admin, scene.monitor, scene.api):
                scene.say(where, raw)


def monitors(scene: Scene) -> None:
    """Hundreds of connections that say nothing, and monitors that ask without a pause."""
    with contextlib.ExitStack() as stack, scene.watched():
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", scene.monitor), 30))
        end = time.monotonic() + 1
        while time.monotonic() < end:
            scene.get("/metrics", scene.monitor)
            scene.get("/readyz", scene.monitor)


def listeners_to_events(scene: Scene) -> None:
    """Ten follow the events, two of them without reading, while a thousand routes change."""
    ask = b"GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack, scene.watched():
        for _ in range(10):
            stack.enter_context(sock := scene.connected(scene.admin))
            sock.sendall(ask)
        endpoint = f"tcp://127.0.0.3:{scene.behind}"
        scene.ask(Drain(endpoint=endpoint))
        scene.ask(Reset())
