"""What a kept session does whatever it meets; the protocols have tests of their own."""

import asyncio

import pytest

from ambassador.follow.channel import Channel, Credentials, Silence
from ambassador.follow.session import KeptSession
from ambassador.follow.talk import Terms


class Numbers(KeptSession[int]):
    """Reads a line, which is a number."""

    _product = "a counter"
    logged_in = 0

    async def _log_in(self):
        self.close()
        self.logged_in += 1
        self._channel = Channel(self._hung_up)
        await self._channel.open(*self._place, None)

    async def _ask(self):
        self._channel.send(b"?")
        line = await self._channel.until(lambda data: bytes(data) if data else None)
        self._channel.data.clear()
        return int(line)


def asked(*answers):
    """Return what each question comes to, and how often it logged in."""

    async def main():
        left = list(answers)

        async def serve(reader, writer):
            while left and await reader.read(1):
                if answer := left.pop(0):
                    writer.write(answer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            place = server.sockets[0].getsockname()
            session, found = Numbers(place, Terms(Credentials("", "")), lambda: None), []
            for _ in answers:
                try:
                    found.append(await session.fact(0.5))
                except Silence as error:
                    found.append(str(error))
            session.close()
        return found, session.logged_in

    return asyncio.run(main())


def test_one_log_in_serves_many_questions():
    assert asked(b"1", b"2", b"3") == ([1, 2, 3], 1)


@pytest.mark.parametrize(
    ("answer", "said"), [(b"x", "it does not answer like a counter"), (b"", "no answer within")]
)
def test_whatever_fails_is_told_and_the_next_question_logs_in_anew(answer, said):
    (one, other), logged_in = asked(answer, b"2")
    assert one.startswith(said)
    assert (other, logged_in) == (2, 2)
