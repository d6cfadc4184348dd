"""The resolver over a real name server and a hosts file, by a clock that the test puts forward."""

import asyncio
import re
import time

import pytest

from ambassador.errors import ResolveError
from ambassador.resolve import question
from ambassador.resolve.dns import NameServers
from ambassador.resolve.hosts import HostsFile
from ambassador.resolve.resolver import NameResolver
from tests.clock import LoopWithClock, put_forward

pytestmark = pytest.mark.root

WITHIN = 5.0


class Watch:
    """Watches a name; `next` is what it is told next, `told` whether it has been told more."""

    def __init__(self, resolver, host):
        self._told = asyncio.Queue()
        self.end = resolver.watch(host, self._told.put_nowait)

    async def next(self):
        return await asyncio.wait_for(self._told.get(), WITHIN)

    @property
    def told(self):
        return not self._told.empty()


@pytest.fixture
def scenario(net, hosts_file, resolv_conf, caplog):
    """Run a scenario with a resolver; it leaves no task."""
    caplog.set_level("INFO", "ambassador")

    def run(main):
        async def work():
            resolver = NameResolver(HostsFile(hosts_file), NameServers(resolv_conf))
            try:
                await main(resolver)
            finally:
                resolver.close()
            for _ in range(100):  # what is cancelled ends in the loop's next turns
                await asyncio.sleep(0)
            assert [task.get_name() for task in asyncio.all_tasks()][1:] == []

        net.run_loop(work(), LoopWithClock)

    return run


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(question, "_ONE_QUERY", 0.1)
    monkeypatch.setattr(question, "_ALL_QUERIES", 0.3)


def events(caplog, name):
    return [record.getMessage() for record in caplog.records if record.event == name]


def test_a_literal_is_returned_as_it_is_and_nobody_is_asked(scenario):
    async def main(resolver):
        for literal in ("10.0.0.1", "fd00::1", "fe80::1%eth0"):
            assert await resolver.resolve(literal) == (literal,)
            resolver.watch(literal, pytest.fail)()
            resolver.doubt(literal)

    scenario(main)


def test_a_changed_address_is_seen_after_the_ttl_and_not_before(scenario, dns):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        assert await resolver.resolve("db") == ("10.0.0.1",)
        dns.say(db="10.0.0.2")
        put_forward(19)
        assert await resolver.resolve("db") == ("10.0.0.1",)
        assert dns.questions("db") == 1
        put_forward(1)
        assert await resolver.resolve("db") == ("10.0.0.2",)
        assert dns.questions("db") == 2

    scenario(main)


def test_a_watched_name_is_asked_again_by_itself_and_a_change_is_told(scenario, dns, caplog):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        watch = Watch(resolver, "db")
        assert await watch.next() == ("10.0.0.1",)
        dns.say(db="10.0.0.2")
        put_forward(20)
        assert await watch.next() == ("10.0.0.2",)
        assert await resolver.resolve("db") == ("10.0.0.2",)
        put_forward(20)
        await resolver.resolve("db")
        assert not watch.told  # nothing has changed
        watch.end()
        watch.end()
        asked = dns.questions("db")
        put_forward(1000)
        await asyncio.sleep(0.01)
        assert dns.questions("db") == asked

    scenario(main)
    assert events(caplog, "name_resolved") == ["db is at 10.0.0.2 (was 10.0.0.1)"]


def test_another_order_of_the_same_addresses_is_no_change(scenario, dns, caplog):
    async def main(resolver):
        dns.say(db=("10.0.0.1", "10.0.0.2"))
        watch = Watch(resolver, "db")
        assert set(await watch.next()) == {"10.0.0.1", "10.0.0.2"}
        for _ in range(4):  # dnsmasq turns the addresses round
            put_forward(20)
            await resolver.resolve("db")
        assert not watch.told

    scenario(main)
    assert events(caplog, "name_resolved") == []


def test_after_doubt_it_is_asked_at_once(scenario, dns):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        await resolver.resolve("db")
        dns.say(db="10.0.0.2")
        resolver.doubt("db")
        assert await resolver.resolve("db") == ("10.0.0.2",)

    scenario(main)


def test_doubt_in_a_watched_name_needs_nobody_to_resolve(scenario, dns):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        watch = Watch(resolver, "db")
        await watch.next()
        dns.say(db="10.0.0.2")
        resolver.doubt("db")
        assert await watch.next() == ("10.0.0.2",)

    scenario(main)


def test_doubt_without_end_asks_at_most_five_times_a_second(scenario, dns):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        began = time.monotonic()
        while time.monotonic() - began < 0.5:
            resolver.doubt("db")
            await resolver.resolve("db")
        assert dns.questions("db") <= 4

    scenario(main)


@pytest.mark.parametrize("away", ["stop", "freeze"])
def test_the_last_good_answer_stands_while_dns_is_away(scenario, dns, hasty, caplog, away):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        watch = Watch(resolver, "db")
        await watch.next()
        getattr(dns, away)()
        for _ in range(3):
            put_forward(20)
            assert await resolver.resolve("db") == ("10.0.0.1",)
            resolver.doubt("db")
            assert await resolver.resolve("db") == ("10.0.0.1",)
        assert not watch.told
        dns.thaw() if away == "freeze" else dns.start()
        dns.say(db="10.0.0.2")
        put_forward(30)
        assert await watch.next() == ("10.0.0.2",)

    scenario(main)
    (lost,) = events(caplog, "name_unresolved")  # said once
    start = "db: the name servers do not answer; going on with 10.0.0.1, "
    assert re.fullmatch(re.escape(start) + r"2\d s old", lost)
    assert events(caplog, "name_resolved") == ["db is at 10.0.0.2 (was 10.0.0.1)"]


@pytest.mark.alone
def test_clients_do_not_wait_for_name_servers_that_are_known_to_be_away(scenario, dns, hasty):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        await resolver.resolve("db")
        dns.freeze()
        put_forward(20)
        await resolver.resolve("db")  # finds it out
        put_forward(30)
        began = time.monotonic()
        assert await resolver.resolve("db") == ("10.0.0.1",)
        assert time.monotonic() - began < 0.1

    scenario(main)


@pytest.mark.alone
def test_a_slow_answer_is_not_waited_for_longer_than_a_second_when_there_is_an_old_one(
    scenario, dns
):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        await resolver.resolve("db")
        dns.freeze()
        put_forward(20)
        began = time.monotonic()
        assert await resolver.resolve("db") == ("10.0.0.1",)
        assert 0.9 < time.monotonic() - began < 1.4

    scenario(main)


def test_a_name_that_appears_later(scenario, dns, caplog):
    async def main(resolver):
        watch = Watch(resolver, "db")
        for _ in range(3):
            with pytest.raises(ResolveError, match="db has no address: there is no such name"):
                await resolver.resolve("db")
        dns.say(db="10.0.0.1")
        assert await resolver.resolve("db") == ("10.0.0.1",)
        assert await watch.next() == ("10.0.0.1",)

    scenario(main)
    assert events(caplog, "name_unresolved") == ["db has no address: there is no such name"]
    assert events(caplog, "name_resolved") == ["db is at 10.0.0.1"]


async def settled():
    """Wait for the end of every question that is under way, and of those that are due."""
    for _ in range(3):
        await asyncio.sleep(0)
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=WITHIN)


def test_a_watched_name_that_has_no_address_is_asked_for_less_and_less(scenario, dns):
    async def main(resolver):
        Watch(resolver, "db")
        await settled()
        for count, pause in enumerate((1, 2, 4, 8, 16, 30, 30), 1):
            put_forward(pause / 2)
            await settled()
            assert dns.questions("db") == count
            put_forward(pause / 2)
            await settled()
            assert dns.questions("db") == count + 1

    scenario(main)


def test_etc_hosts_comes_first_and_is_followed(scenario, dns, hosts_file):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        hosts_file.write_text("10.0.0.8 db\n")
        watch = Watch(resolver, "db")
        assert await watch.next() == ("10.0.0.8",)
        hosts_file.write_text("10.0.0.9 db\n")
        put_forward(1)
        assert await watch.next() == ("10.0.0.9",)
        assert dns.questions("db") == 0
        hosts_file.write_text("")
        put_forward(1)
        assert await watch.next() == ("10.0.0.1",)

    scenario(main)


def test_many_names_and_many_who_ask_for_one(scenario, dns):
    names = {f"db{i}": f"10.0.{i // 200}.{i % 200}" for i in range(300)}

    async def main(resolver):
        dns.say(**names)
        found = await asyncio.gather(*(resolver.resolve(name) for name in names))
        assert found == [(address,) for address in names.values()]
        put_forward(20)
        assert set(await asyncio.gather(*(resolver.resolve("db7") for _ in range(100)))) == {
            ("10.0.0.7",)
        }
        # Once for each time; a name server under 300 questions at once may be asked again.
        assert 2 <= dns.questions("db7") < 10

    scenario(main)


def test_after_close_nothing_is_asked(scenario, dns):
    async def main(resolver):
        dns.say(db="10.0.0.1")
        watch = Watch(resolver, "db")
        await watch.next()
        dns.freeze()
        put_forward(20)
        Watch(resolver, "other")
        await asyncio.sleep(0)
        resolver.close()
        dns.thaw()
        asked = dns.questions("db")
        put_forward(1000)
        await asyncio.sleep(0.01)
        assert dns.questions("db") == asked
        assert not watch.told

    scenario(main)
