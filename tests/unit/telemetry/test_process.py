import os
import resource
import time

from ambassador.telemetry import process
from ambassador.telemetry.metrics import METRICS


def test_what_the_system_tells_of_this_process():
    spent = time.process_time()
    told = process.read()
    assert set(told) == {name for name in METRICS if name.startswith("process_")}
    assert abs(told["process_cpu_seconds_total"] - spent) < 1
    assert 0 < time.time() - told["process_start_time_seconds"] < 86_400
    assert told["process_max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 1 << 20 < told["process_resident_memory_bytes"] < told["process_virtual_memory_bytes"]


def test_each_open_descriptor_counts():
    before = process.read()["process_open_fds"]
    ends = os.pipe()
    assert process.read()["process_open_fds"] == before + 2
    for end in ends:
        os.close(end)
