"""What nft says, read; and what it complains of, said."""

import asyncio
import os
import signal
import time

import pytest

from ambassador.errors import PlaneError, UnsureError
from ambassador.planes.kernel import nft
from ambassador.planes.kernel.layout import skeleton
from ambassador.planes.kernel.nft import (
    Found,
    Nft,
    crashed,
    parse_counters,
    parse_places,
    parse_table,
    spoken,
    version,
)
from ambassador.planes.kernel.ruleset import plain
from ambassador.planes.kernel.watch import Made
from ambassador.tasks import spawn
from tests.wait import until

TABLE = """table inet ambassador {
\tcomment "ambassador 1"
\tmap any4 {
\t\ttype inet_proto . inet_service : verdict
\t}

\tchain one4 {
\t\tjump mark4
\t}

\tchain spread4_tcp_7000 {
\t}
}
"""
SETS = """table inet ambassador {
\tset tried4 {
\t\ttype ipv4_addr . inet_service . inet_service
\t\telements = { 10.9.1.2 . 39316 . 7009 expires 8s948ms }
\t}
\tset up_tcp {
\t\ttype inet_service
\t\tcounter
\t\telements = { 80 counter packets 12 bytes 780,
\t\t\t     6379 counter packets 0 bytes 0 }
\t}
\tset back_tcp {
\t\ttype inet_service
\t\tcounter
\t\telements = { 80 counter packets 10 bytes 18446744073709551615 }
\t}
}
"""


def test_a_table_is_its_comment_and_its_chains():
    assert parse_table(TABLE) == Found("ambassador 1", ("one4", "spread4_tcp_7000"))
    assert parse_table("table inet ambassador {\n\tchain theirs {\n\t}\n}\n") == Found(
        "", ("theirs",)
    )


def test_counters_are_told_apart_by_set_and_port():
    assert parse_counters(SETS) == {
        "tried4": {},
        "up_tcp": {80: (12, 780), 6379: (0, 0)},
        "back_tcp": {80: (10, 2**64 - 1)},
    }


def test_places_are_addresses_and_two_ports_of_either_family():
    text = """table inet ambassador {
\tset felt4 {
\t\ttypeof ip saddr . tcp sport . tcp dport
\t\tsize 262144
\t\tflags dynamic,timeout
\t\ttimeout 1m
\t\telements = { 10.9.1.2 . 39316 . 7009 expires 8s948ms,
\t\t\t     fd77::3 . 1 . 2 timeout 1m expires 8s }
\t}
}
"""
    assert parse_places(text) == {("10.9.1.2", 39316, 7009), ("fd77::3", 1, 2)}
    assert parse_places(text.partition("elements")[0]) == set()


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("/dev/stdin:1:1-9: Error: syntax error\nadd x\n^^^^\n", "syntax error"),
        ("netlink: Error: cache initialization failed: Operation not permitted\n",
         "cache initialization failed: Operation not permitted"),
        ("x:1: Error: a\nl\nx:2: Error: a\nl\nx:3: Error: b\n", "a; b"),
        ("".join(f"x:{n}: Error: {n}\n" for n in range(9)), "0; 1; 2 (and 6 more)"),
        ("Killed\n", "Killed"),
        ("", "failed without a word"),
    ],
)  # fmt: skip
def test_only_what_is_wrong_is_repeated(output, text):
    assert spoken(output) == text


def program(tmp_path, script):
    path = tmp_path / "nft"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Nft(str(path))


def test_a_failure_has_the_program_s_own_words(tmp_path):
    nft = program(tmp_path, 'echo "x:1: Error: Could not process rule: File exists" >&2; exit 1')
    with pytest.raises(PlaneError, match="nft: Could not process rule: File exists"):
        asyncio.run(nft.run("add table x\n"))


def test_the_text_reaches_the_program_and_its_answer_comes_back(tmp_path):
    assert asyncio.run(program(tmp_path, "cat").run("add table x\n")) == "add table x\n"


def test_an_old_program_gets_a_text_that_it_knows(tmp_path):
    """As nft 1.0.2 does, of a map that `typeof` declares."""
    refused = "Error: datatype mismatch: expected netfilter verdict, expression has type invalid"
    script = f"text=$(cat); echo >>{tmp_path}/runs\n"
    script += 'if echo "$text" | grep -q "typeof [^;]*verdict"; then '
    script += f'echo "{refused}" >&2; exit 1; fi; echo "$text"'
    old = program(tmp_path, script)
    for _ in range(2):
        assert asyncio.run(old.run(skeleton())) == plain(skeleton())
    assert len((tmp_path / "runs").read_text().splitlines()) == 3  # it is found out once


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    with pytest.raises(PlaneError, match="No such file"):
        asyncio.run(Nft(str(tmp_path / "nft")).run(""))


def test_what_is_made_is_not_waited_for(tmp_path):
    """nft itself ends later, when the kernel lets it."""
    slow, told = program(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 30"), tmp_path / "pid"

    async def hear(made):
        while not (told.exists() and told.read_text().strip()):
            await asyncio.sleep(0.01)
        made.by.add(1)  # another program's
        made.heard.set()
        await asyncio.sleep(0.05)
        assert not running.done()
        made.by.add(int(told.read_text()))
        made.heard.set()

    async def perform():
        nonlocal running
        made = Made()
        running = spawn(slow.run("text", made), "nft")
        await hear(made)
        assert await asyncio.wait_for(running, 5) == ""
        os.kill(int(told.read_text()), signal.SIGTERM)

    running = None
    asyncio.run(perform())


def test_what_fails_fails_also_where_others_make_something(tmp_path):
    async def perform():
        made = Made()
        made.by.add(1)
        await program(tmp_path, "echo 'Error: no' >&2; exit 1").run("text", made)

    with pytest.raises(PlaneError, match="nft: no"):
        asyncio.run(perform())


def test_no_table_is_none_and_any_other_failure_is_told(tmp_path):
    absent = program(tmp_path, 'echo "Error: No such file or directory" >&2; exit 1')
    assert asyncio.run(absent.table()) is None
    forbidden = program(tmp_path, 'echo "Error: Operation not permitted" >&2; exit 1')
    with pytest.raises(PlaneError, match="not permitted"):
        asyncio.run(forbidden.table())


@pytest.mark.parametrize(
    ("code", "name"),
    [(-11, "SIGSEGV"), (139, "SIGSEGV"), (-9, "SIGKILL"), (0, ""), (1, ""), (2, "")],
)
def test_a_crash_is_told_from_an_answer(code, name):
    number = crashed(code)
    assert (number.name if number else "") == name


def test_a_crash_is_no_word_that_there_is_no_table(tmp_path):
    path = tmp_path / "nft"
    path.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'nftables v1.0.6 (Lester)' || kill -11 $$\n"
    )
    path.chmod(0o755)
    with pytest.raises(PlaneError, match=r"crashed \(SIGSEGV; nft --version says: .*v1\.0\.6"):
        asyncio.run(Nft(str(path)).table())


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("nftables v1.0.2 (Lester)", False),
        ("nftables v0.9.8 (E.D.S.)", True),
        ("nftables v2.1 (later)", False),
        ("something else", True),
    ],
)
def test_a_failure_names_a_version_that_is_not_known_to_do(tmp_path, said, hint):
    path = tmp_path / "nft"
    path.write_text(
        f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{said}' && exit\n"
        "echo 'Error: no' >&2; exit 1\n"
    )
    path.chmod(0o755)
    with pytest.raises(PlaneError) as failure:
        asyncio.run(Nft(str(path)).run("text"))
    expected = f"nft: no (nft --version says: {said}; 1.0.2 or newer is needed)"
    assert str(failure.value) == (expected if hint else "nft: no")


def test_a_version_is_read_as_numbers():
    assert version("nftables v1.0.6 (Lester Gooch #5)") == (1, 0, 6)
    assert version("nft") is None


HANGS = "trap '' TERM; sleep 60 & wait"


def test_one_that_does_not_end_is_killed_with_all_it_has_started(tmp_path, monkeypatch):
    monkeypatch.setattr(nft, "_PATIENCE", 0.3)
    with pytest.raises(UnsureError, match=r"no answer within 0\.3 s"):
        asyncio.run(program(tmp_path, HANGS).run("add table x"))


def test_while_we_stop_it_has_less_time_and_is_not_run_again_when_it_was_too_slow(tmp_path):
    slow = program(tmp_path, f"echo run >> {tmp_path}/runs; {HANGS}")
    began = time.monotonic()

    async def hurry():
        await asyncio.to_thread(until, (tmp_path / "runs").exists)
        slow.hurry(0.2)

    async def stopping():
        with pytest.raises(UnsureError):
            await asyncio.gather(slow.run("a"), hurry())
        with pytest.raises(PlaneError, match="no time left"):
            await slow.run("b")

    asyncio.run(stopping())
    assert time.monotonic() - began < 5
    assert (tmp_path / "runs").read_text() == "run\n"
