"""What a Patroni says over REST, by answers of Patroni 4.1 and 2.1."""

import asyncio
import json

import pytest

from ambassador.follow.channel import Credentials, Denied, Silence
from ambassador.follow.patroni import Member, RestAsker, RestWord, members
from ambassador.follow.talk import Terms
from ambassador.model import Inet

TERMS = Terms(Credentials("", ""))
PRIMARY = {
    "state": "running",
    "role": "primary",
    "timeline": 4,
    "xlog": {"location": 67108960},
    "database_system_identifier": "7268616322854375442",
    "patroni": {"version": "4.1.5", "scope": "lab", "name": "n0"},
}
OLD = {**PRIMARY, "role": "master", "patroni": {"version": "2.1.4", "scope": "lab"}}
STARTS = {"state": "starting", "role": "replica", "patroni": PRIMARY["patroni"]}
CLUSTER = {
    "members": [
        {"name": "n0", "role": "leader", "state": "running", "host": "10.0.0.1", "port": 5432,
         "api_url": "http://10.0.0.1:8008/patroni"},
        {"name": "n1", "role": "replica", "host": "db2", "port": 5433, "api_url": "https://db2/"},
        {"name": "n2", "role": "replica", "state": "stopped"},
    ]
}  # fmt: skip


def served(asking, *pieces, hold=False):
    """Return what `asking` a place comes to that says `pieces`, one after the other."""

    async def main():
        over = asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if hold:
                await reader.read()
            writer.transport.abort()
            over.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            try:
                return await asking(server.sockets[0].getsockname())
            finally:
                await over.wait()

    return asyncio.run(main())


def word(place):
    return RestAsker(place, TERMS).fact(0.3)


def answer(status, body):
    return f"HTTP/1.0 {status} X\r\nServer: BaseHTTP/0.6\r\n\r\n{json.dumps(body)}".encode()


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, PRIMARY, RestWord(True, "n0", "lab", True, "7268616322854375442", 4)),
        (503, PRIMARY, RestWord(False, "n0", "lab", True, "7268616322854375442", 4)),
        (200, OLD, RestWord(True, "", "lab", True, "7268616322854375442", 4)),
        (503, STARTS, RestWord(False, "n0", "lab", None, "", 0)),
    ],
)
def test_each_word(status, body, wanted):
    whole = answer(status, body)
    assert served(word, whole) == wanted
    assert served(word, whole[:30], whole[30:90], whole[90:]) == wanted


@pytest.mark.parametrize(
    "said", [b"-ERR unknown command\r\n", answer(200, {"a": 1}), answer(200, [])]
)
def test_what_is_no_patroni_is_told(said):
    with pytest.raises(Denied, match="does not answer like a Patroni"):
        served(word, said)


def test_silence_is_told():
    with pytest.raises(Silence, match="no answer within"):
        served(word, hold=True)


def test_the_members_of_a_set():
    found = served(lambda place: members(place, TERMS, 1), answer(200, CLUSTER))
    assert found == [
        Member("n0", Inet("10.0.0.1", 5432), Inet("10.0.0.1", 8008), True),
        Member("n1", Inet("db2", 5433), Inet("db2", 8008), False),
    ]
    with pytest.raises(Silence, match="with 500"):
        served(lambda place: members(place, TERMS, 1), answer(500, {}))
