"""The client, against a real etcd."""

import asyncio
import socket

import pytest

from ambassador.errors import SourceError
from ambassador.fleet.access import Access
from ambassador.fleet.connection import Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.faults import CompactedError, NoLeaseError
from ambassador.fleet.requests import absent, delete, put, since
from tests.ports import free_port

pytestmark = pytest.mark.asyncio


async def test_what_was_put_is_read_at_one_revision(member, keys):
    client = member.client()
    done, revision = await client.change(
        (absent(keys.word("a")),), (put(keys.word("a"), "é"),), "k"
    )
    assert done
    found = await client.get(*keys.watched)
    assert found.values[keys.word("a")].text == "é"
    assert found.values[keys.word("a")].revision == revision == found.revision
    client.close()


async def test_a_change_is_made_only_where_its_conditions_hold(member, keys):
    client, key = member.client(), keys.word("a")
    _, first = await client.change((), (put(key, "1"),), key)
    assert (await client.change((absent(key),), (put(key, "2"),), key))[0] is False
    assert (await client.change((since(key, first),), (put(key, "3"),), key))[0] is True
    assert (await client.get(key)).values[key].text == "3"
    await client.change((), (delete(key),), key)
    assert (await client.get(key)).values == {}
    client.close()


async def test_the_last_entries_of_a_range_can_be_asked_for(member, keys):
    client = member.client()
    await client.change((), [put(keys.history("a", n), str(n)) for n in range(5)], "k")
    begin = keys.history("a")
    found = await client.get(begin, begin[:-1] + "0", limit=2)
    assert {value.text for value in found.values.values()} == {"3", "4"}
    client.close()


async def test_what_is_under_a_lease_goes_with_it(member, keys):
    client, key = member.client(), keys.announced("a", "me")
    lease, seconds = await client.grant(60)
    assert seconds == 60
    await client.change((), (put(key, "x", lease),), key)
    await client.renew(lease)
    assert (await client.get(key)).values[key].lease == lease
    await client.revoke(lease)
    assert (await client.get(key)).values == {}
    with pytest.raises(NoLeaseError):
        await client.renew(lease)
    with pytest.raises(NoLeaseError):
        await client.change((), (put(key, "x", lease),), key)
    await client.revoke(lease)  # what is gone may go again
    client.close()


async def test_a_watch_tells_each_change_from_a_revision_on(member, keys):
    client, key = member.client(), keys.word("a")
    _, revision = await client.change((), (put(key, "1"),), key)
    watch = client.watch(*keys.watched, revision)
    begun = await anext(watch)
    assert begun.changes == {}
    assert (await anext(watch)).changes[key].text == "1"
    await client.change((), (put(key, "2"), put(keys.route("b"), "3")), key)
    assert {value.text for value in (await anext(watch)).changes.values()} == {"2", "3"}
    await client.change((), (delete(key),), key)
    assert (await anext(watch)).changes == {key: None}
    await watch.aclose()
    client.close()


async def test_a_watch_of_what_is_compacted_says_so(member, keys):
    client, key = member.client(), keys.word("a")
    for text in "123":
        _, revision = await client.change((), (put(key, text),), key)
    member.ctl("compact", str(revision))
    with pytest.raises(CompactedError):
        async for _ in client.watch(*keys.watched, revision - 2):
            pass
    client.close()


async def test_another_member_is_asked_where_one_is_away(member, keys):
    nobody = Url("127.0.0.1", free_port(), False)
    there = Url("127.0.0.1", member.port, False)
    client = Etcd(Access((nobody, there)))
    for _ in range(3):
        await client.get(keys.word("a"))
    watch = client.watch(*keys.watched, 1_000_000)
    assert (await anext(watch)).changes == {}
    await watch.aclose()
    client.close()
    alone = Etcd(Access((nobody,)))
    with pytest.raises(SourceError, match="connection refused"):
        await alone.get("k")


async def test_a_connection_that_was_cut_is_made_anew(member, keys):
    client = member.client()
    await client.get("k")
    client._kept._writer.transport.abort()
    await asyncio.sleep(0)
    await client.get("k")
    client.close()


async def test_a_watch_that_has_begun_waits_for_as_long_as_nothing_changes(
    member, keys, monkeypatch
):
    monkeypatch.setattr("ambassador.fleet.etcd.LIMIT", 0.2)
    client = member.client()
    revision = (await client.get(*keys.watched)).revision
    watch = client.watch(*keys.watched, revision + 1)
    assert (await anext(watch)).changes == {}

    async def change():
        await asyncio.sleep(0.6)  # longer than anything but a change may take
        await client.change((), [put(keys.word("s"), "x")], "k")

    changing = asyncio.get_running_loop().create_task(change())
    assert set((await anext(watch)).changes) == {keys.word("s")}
    await changing
    await watch.aclose()
    client.close()


async def test_who_has_no_turn_for_a_question_is_not_asked_once_more(keys, monkeypatch):
    monkeypatch.setattr("ambassador.fleet.etcd.LIMIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        client = Etcd(Access((Url("127.0.0.1", silent.getsockname()[1], False),)))
        with pytest.raises(SourceError, match=r"no answer within 0\.2 s"):
            await client.get(keys.word("a"))
        silent.accept()[0].close()
        with pytest.raises(SourceError, match=r"no answer within 0\.1 s"):
            await client.renew(7, 0.1)
        client.close()
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
