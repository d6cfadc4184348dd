import asyncio
import socket

import pytest

from ambassador.engine.http import EngineHttp
from ambassador.engine.place import Where
from ambassador.errors import EngineError

LIST = "/containers/json?all=1"


def http(engine):
    return EngineHttp(Where(path=str(engine.path)))


def test_an_older_engine_is_spoken_to_in_its_own_version(play):
    async def story(engine):
        engine.maximum = "1.41"
        one = http(engine)
        assert await one.get(LIST) == []
        assert one.version == "1.41"
        assert await one.get(LIST) == []
        assert len(engine.asked) == 3  # the refusal was asked for once

    play(story)


def test_an_engine_that_is_too_old_says_so(play):
    async def story(engine):
        engine.maximum = "1.18"
        with pytest.raises(EngineError, match=r"1\.18 is too old, 1\.24 is needed"):
            await http(engine).get(LIST)

    play(story)


def test_an_engine_that_takes_no_version_says_so(play):
    async def story(engine):
        text = "client version 1.44 is too old. Minimum supported API version is 1.60"
        engine.answer = lambda *_: (400, {"message": text})
        with pytest.raises(EngineError, match=r"takes no version of its API|answers 400"):
            await http(engine).get(LIST)

    play(story)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "speaks no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[]", "is cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[", "is cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "is cut"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "is cut"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "no JSON.*<html>"),
        (b"", "is cut"),
    ],
)
def test_what_is_no_answer_is_said(play, raw, words):
    async def story(engine):
        engine.raw = raw
        with pytest.raises(EngineError, match=words):
            await http(engine).get(LIST)

    play(story)


def test_a_proxy_that_forbids_names_the_path(play):
    async def story(engine):
        engine.answer = lambda *_: (403, b"<html>no</html>")
        with pytest.raises(EngineError, match="forbids GET /containers/json") as caught:
            await http(engine).get(LIST)
        assert caught.value.forbidden == LIST

    play(story)


def test_a_slow_engine_is_waited_for_no_longer_than_it_may_take(play):
    async def story(engine):
        async def slow(*_):
            await asyncio.sleep(10)

        engine.answer = slow
        with pytest.raises(EngineError, match=r"no answer to GET .* in 0\.1 s"):
            await http(engine).get(LIST, 0.1)

    play(story)


def ask(where):
    with pytest.raises(EngineError) as caught:
        asyncio.run(EngineHttp(where).get(LIST))
    return str(caught.value)


def test_no_socket_and_nobody_behind_it_are_told_apart(tmp_path):
    assert "there is no such socket" in ask(Where(path=str(tmp_path / "none")))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    assert "nobody listens there" in ask(Where(path=str(tmp_path / "dead")))


def test_no_right_to_the_socket_names_its_group(tmp_path, monkeypatch):
    path = tmp_path / "s"
    path.touch()

    async def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio, "open_unix_connection", denied)
    path.chmod(0o660)
    text = ask(Where(path=str(path)))
    assert f"docker run --group-add {path.stat().st_gid}" in text
    path.chmod(0o600)  # where no group has it
    text = ask(Where(path=str(path)))
    assert f"only its user {path.stat().st_uid} has it; run as that one" in text


def test_wrong_files_of_tls_are_named(tmp_path):
    text = ask(Where(host="127.0.0.1", port=1, certificates=str(tmp_path)))
    assert "needs ca.pem, cert.pem and key.pem" in text
