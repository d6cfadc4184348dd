"""What the collector does is the process's: each test has one of its own."""

import subprocess
import sys


def run(script: str) -> None:
    head = "import gc\nfrom ambassador.garbage import none_collected, seldom\n"
    subprocess.run([sys.executable, "-c", head + script], check=True, timeout=60)


def test_what_was_made_in_bulk_is_never_looked_at_again():
    run("""
with none_collected():
    kept = [[number] for number in range(100_000)]
assert gc.isenabled()
assert gc.get_freeze_count() >= 100_000
assert len(gc.get_objects()) < 10_000
""")


def test_work_that_leaves_little_freezes_nothing():
    run("""
with none_collected():
    made = [[number] for number in range(100_000)]
    del made
assert gc.isenabled()
assert gc.get_freeze_count() == 0
""")


def test_what_takes_the_place_of_older_things_is_frozen_too():
    run("""
old = [[number] for number in range(100_000)]
gc.collect()
with none_collected():
    new = [[number] for number in range(100_000)]
    del old
assert gc.get_count()[0] < 1000
assert gc.get_freeze_count() >= 100_000
""")


def test_nothing_is_collected_until_the_last_has_ended():
    run("""
with none_collected():
    with none_collected():
        assert not gc.isenabled()
    assert not gc.isenabled()
assert gc.isenabled()
try:
    with none_collected():
        raise ValueError
except ValueError:
    assert gc.isenabled()
""")


def test_a_cycle_of_a_process_that_serves_is_found_and_what_was_there_stays():
    run("""
class Node: pass
found = []
gc.callbacks.append(lambda phase, info: found.append(info.get("collected", 0)))
seldom()
assert gc.get_freeze_count() > 1000
for _ in range(20_000):
    node = Node()
    node.me = node
assert sum(found) > 10_000
""")
