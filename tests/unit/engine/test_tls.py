"""An engine that is asked over TLS, with the files that its own tools take."""

import asyncio
import re
import ssl
from pathlib import Path

import pytest

from ambassador.engine.feed import EngineFeed
from ambassador.engine.follower import Follower
from ambassador.engine.http import EngineHttp
from ambassador.engine.place import Where
from ambassador.errors import EngineError
from tests.fake_engine import entry
from tests.identities import Identities

from .conftest import until
from .test_feed import answers, nobody
from .test_http import LIST

PART = r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n"


def files(folder, bundle, authority=""):
    """Write ca.pem, cert.pem and key.pem of a bundle; ca.pem of another one, if there is one."""
    folder.mkdir()
    parts = [found[0] for found in re.finditer(PART, bundle, re.DOTALL)]
    key = next(part for part in parts if "PRIVATE" in part)
    certificates = [part for part in parts if "PRIVATE" not in part]
    (folder / "key.pem").write_text(key)
    (folder / "cert.pem").write_text(certificates[0])
    (folder / "ca.pem").write_text(authority or certificates[-1])
    return folder


@pytest.fixture
def certificates(tmp_path):
    """Return the folders of an engine, of a client of it, and of one whose authority is another."""
    made = Identities(tmp_path)
    ours = Path(made.bundle("engine", "127.0.0.1")).read_text()
    client = Path(made.bundle("client")).read_text()
    theirs = Path(made.bundle("strange", of="theirs")).read_text()
    return (
        files(tmp_path / "engine", ours),
        files(tmp_path / "client", client),
        files(tmp_path / "strange", theirs),
    )


def demanding(folder):
    """Return the TLS of an engine with `tlsverify`: who asks has to show a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_containers_are_followed_over_tls(play, certificates):
    async def story(engine):
        engine_files, client_files, _ = certificates
        port = await engine.serve_at_a_port(demanding(engine_files))
        redis = entry("redis", "127.0.0.2")
        engine.containers = [redis]
        where = Where(host="127.0.0.1", port=port, certificates=str(client_files))
        one = EngineFeed(where, answers=answers, sessions=nobody)
        told = []
        one.follow("docker://redis:6379", lambda *said: told.append(said))
        await until(lambda: told and told[-1][0] == ("127.0.0.2",) and engine.streams)
        engine.tell("die", redis["Id"])
        await until(lambda: told[-1] == ((), "redis is exited", True))
        one.close()

    play(story)


def test_whose_certificate_is_wrong_is_told(play, certificates):
    async def story(engine):
        engine_files, client_files, strange_files = certificates
        port = await engine.serve_at_a_port(demanding(engine_files))

        async def said(folder):
            where = Where(host="127.0.0.1", port=port, certificates=str(folder))
            with pytest.raises(EngineError) as caught:
                await EngineHttp(where).get(LIST)
            return str(caught.value)

        text = await said(strange_files)
        assert "TLS fails" in text
        assert "CERTIFICATE_VERIFY_FAILED" in text
        assert f"DOCKER_CERT_PATH={strange_files}" in text
        # The engine is right, and who asks shows nothing: TLS 1.3 tells that at the first read.
        (client_files / "cert.pem").unlink()
        assert "certificate" in await said(client_files)

    play(story)


def test_tls_where_none_is_meant_and_none_where_it_is_are_told(play, certificates):
    async def story(engine):
        engine_files, client_files, _ = certificates
        port = await engine.serve_at_a_port(demanding(engine_files))
        with pytest.raises(EngineError, match="DOCKER_CERT_PATH=/certs names the folder"):
            await EngineHttp(Where(host="127.0.0.1", port=port)).get(LIST)
        one = Follower(EngineHttp(Where(host="127.0.0.1", port=port)), lambda: None)
        one.start()
        await until(lambda: "DOCKER_CERT_PATH=/certs names the folder" in one.error)
        one.close()

        async def refuse(_reader, writer):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
            port = plain.sockets[0].getsockname()[1]
            where = Where(host="127.0.0.1", port=port, certificates=str(client_files))
            with pytest.raises(EngineError, match="TLS fails"):
                await EngineHttp(where).get(LIST)

    play(story)
