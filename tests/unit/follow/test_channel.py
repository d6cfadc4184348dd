"""What is said of one that speaks TLS and is asked in plain, and of the reverse."""

import asyncio
import ssl

import pytest

from ambassador.follow.channel import Credentials, Silence
from ambassador.follow.talk import Talk, Terms


def asked(tls, answer):
    """Return what becomes of a PING at one that says `answer`, and hangs up where it is nothing."""

    async def main():
        over = asyncio.Event()

        async def serve(reader, writer):
            await reader.read(1)
            if answer is not None:
                writer.write(answer)
                await reader.read()
            writer.transport.abort()
            over.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            terms = Terms(Credentials("", ""), ssl.create_default_context() if tls else None)
            talk = Talk(server.sockets[0].getsockname(), terms)
            try:
                await talk.ask(("PING",), limit=0.3)
            finally:
                talk.close()
                await over.wait()

    with pytest.raises(Silence) as caught:
        asyncio.run(main())
    return str(caught.value)


def test_one_that_hangs_up_without_a_word_may_want_tls():
    assert asked(False, None).endswith("where it speaks TLS: health_tls")
    assert "TLS" not in asked(False, b"+PO")


def test_one_that_is_silent_to_a_handshake_may_speak_no_tls():
    assert asked(True, b"").endswith("to a TLS handshake; where it speaks no TLS: health_tls=no")
