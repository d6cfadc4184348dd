"""The access log: what a line says, and what happens where it cannot be written."""

import json
import os
import subprocess
import sys
import time

import pytest

from ambassador.errors import RunError
from ambassador.model import Endpoint, Inet, Proto, Reason
from ambassador.ports import SessionRecord
from ambassador.telemetry import access_log
from ambassador.telemetry.access_log import AccessLog, line
from tests.wait import until

RECORD = SessionRecord(
    "redis",
    Proto.TCP,
    "192.168.1.9:40312",
    Endpoint(Inet("db1", 6379), weight=2),
    "10.0.0.1:6379",
    "relay",
    10,
    2000,
    0.0021239,
    5.5,
    Reason.MOVED,
    "its endpoint left",
    id="r1.17",
)


@pytest.fixture
def opened():
    logs = []

    def opening(where):
        logs.append(AccessLog(str(where)))
        logs[-1].open()
        return logs[-1]

    yield opening
    for one in logs:
        one.close()


def test_a_line_has_all_that_is_known():
    assert json.loads(line(RECORD, 1700000000.123)) == {
        "time": "2023-11-14T22:13:20.123Z",
        "id": "r1.17",
        "route": "redis",
        "proto": "tcp",
        "client": "192.168.1.9:40312",
        "endpoint": "tcp://db1:6379?weight=2",
        "address": "10.0.0.1:6379",
        "plane": "relay",
        "to_upstream": 10,
        "to_client": 2000,
        "connect": 0.002124,
        "total": 5.5,
        "by": "ambassador",
        "reason": "moved",
        "detail": "its endpoint left",
    }


@pytest.mark.parametrize("reason", Reason)
def test_who_it_was(reason):
    by = json.loads(line(RECORD._replace(reason=reason), 0.0))["by"]
    expected = {
        "client": "client",
        "upstream": "upstream",
        "unknown": "unknown",
        "reset": "unknown",
    }
    assert by == expected.get(reason.value.partition("_")[0], "ambassador")


def test_what_is_not_known_is_null():
    told = json.loads(line(RECORD._replace(endpoint=None, address=""), 0.0))
    assert (told["endpoint"], told["address"], told["connect"]) == (None, None, None)
    assert (
        json.loads(line(RECORD._replace(plane="kernel", connected_after=0.0), 0.0))["connect"]
        is None
    )


def test_what_a_client_is_called_cannot_forge_a_line():
    assert "\n" not in line(RECORD._replace(client='a\n{"route": "x"}'), 0.0)


def routes(path):
    return [json.loads(one)["route"] for one in path.read_text().splitlines()]


def test_lines_are_appended_in_order_and_all_there_at_the_end(opened, tmp_path):
    path = tmp_path / "access.log"
    for run in range(2):
        log = opened(path)
        for number in range(1500):
            log(RECORD._replace(route=f"{run}-{number}"))
        log.close()
    assert routes(path) == [f"{run}-{number}" for run in range(2) for number in range(1500)]
    assert path.stat().st_mode & 0o777 == 0o640


def test_reopened_after_a_rename(opened, tmp_path):
    path, old = tmp_path / "access.log", tmp_path / "access.log.1"
    log = opened(path)
    log(RECORD._replace(route="a"))
    until(lambda: routes(path) == ["a"])
    path.rename(old)
    log.reopen()
    until(path.exists)
    log(RECORD._replace(route="b"))
    until(lambda: routes(path) == ["b"])
    assert routes(old) == ["a"]


def test_a_place_that_cannot_be_written_is_told_before_anything_starts(tmp_path):
    with pytest.raises(RunError, match=r"access log .*/none/access\.log: No such file"):
        AccessLog(str(tmp_path / "none" / "access.log")).open()


def test_a_full_disk_is_told_once_and_what_was_lost_in_the_end(opened, caplog):
    log = opened("/dev/full")
    for number in range(3):
        log(RECORD)
        until(lambda number=number: log._dropped == number + 1)
    log.close()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "access log /dev/full: cannot be written: No space left on device",
        "access log /dev/full: 3 lines were not written",
    ]


def test_a_reader_that_does_not_read_keeps_nobody_waiting(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("ambassador.telemetry.access_log.MOST", 100)
    monkeypatch.setattr("ambassador.telemetry.access_log._LAST", 0.05)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    log = opened(fifo)
    for _ in range(3000):  # more than a pipe holds (64 KiB, pipe(7))
        log(RECORD)
    assert log._dropped > 0
    log.close()
    os.close(reader)


def test_to_stdout():
    program = (
        "from ambassador.telemetry.access_log import AccessLog\n"
        "from tests.unit.telemetry.test_access_log import RECORD\n"
        "log = AccessLog('-'); log.open(); log(RECORD); log.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert json.loads(done.stdout)["route"] == "redis"


def test_a_fifo_that_nobody_reads_keeps_neither_start_nor_stop_waiting(opened, tmp_path, caplog):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    began = time.monotonic()
    log = opened(path)
    log(RECORD)
    log.close()
    assert time.monotonic() - began < 2
    assert "no program reads this FIFO" in caplog.text


def test_a_fifo_that_is_read_later_has_the_lines_that_wait(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(access_log, "_LOOK", 0.01)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    log = opened(path)
    log(RECORD)
    with path.open() as reader:
        assert json.loads(reader.readline())["id"] == "r1.17"
    log(RECORD)  # the reader has gone
    until(lambda: log._file < 0)
    log(RECORD)
    with path.open() as reader:
        assert json.loads(reader.readline())["id"] == "r1.17"
