import io
import json
import logging

import pytest

from ambassador import log


@pytest.fixture(autouse=True)
def restored():
    root, ours = logging.getLogger(), logging.getLogger("ambassador")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    ours.setLevel(before[2])


def written(write, **options):
    stream = io.StringIO()
    log.configure(
        **{"level": "info", "as_json": False, "colour": False, "stream": stream} | options
    )
    write()
    return stream.getvalue()


def an_event(level=log.INFO, message="redis  :6379 -> 10.0.0.1:6379  plane relay", **fields):
    return lambda: log.event(level, "route_started", message, **fields)


def test_people_read_the_time_the_level_and_the_sentence():
    line = written(an_event(route="redis"))
    time, rest = line.split(" ", 1)
    assert rest == "info    redis  :6379 -> 10.0.0.1:6379  plane relay\n"
    assert len(time) == len("2026-11-24T18:30:00.123Z")
    assert time.endswith("Z")


def test_machines_read_one_object_a_line_with_the_fields():
    line = written(an_event(log.WARNING, route="redis", seconds=1.5), as_json=True)
    assert line.count("\n") == 1
    read = json.loads(line)
    assert read.pop("time").endswith("Z")
    assert read == {
        "level": "warning",
        "event": "route_started",
        "message": "redis  :6379 -> 10.0.0.1:6379  plane relay",
        "route": "redis",
        "seconds": 1.5,
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_a_name_from_outside_forges_no_line(as_json):
    line = written(an_event(message="evil\n2026 info forged\x1b[2J\u2028"), as_json=as_json)
    assert line.count("\n") == 1
    assert "\x1b" not in line
    if as_json:
        assert json.loads(line)["message"].startswith("evil\n")
    else:
        assert r"evil\n2026 info forged\x1b[2J\u2028" in line


def test_names_in_other_scripts_stay_readable():
    assert "größe" in written(an_event(message="größe"))
    assert "größe" in written(an_event(message="größe"), as_json=True)


def test_a_field_json_does_not_know_is_written_as_text():
    assert json.loads(written(an_event(where={1}), as_json=True))["where"] == "{1}"


@pytest.mark.parametrize(("level", "code"), [(log.WARNING, "\x1b[33m"), (log.ERROR, "\x1b[31m")])
def test_colour_is_for_what_needs_attention(level, code):
    line = written(an_event(level), colour=True)
    assert line.startswith(code)
    assert line.endswith("\x1b[0m\n")
    assert "\x1b" not in written(an_event(log.INFO), colour=True)
    assert "\x1b" not in written(an_event(level), colour=False)


@pytest.mark.parametrize(
    ("level", "seen"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)]
)
def test_the_level_says_what_is_written(level, seen):
    def write():
        for each in (log.DEBUG, log.INFO, log.WARNING, log.ERROR):
            log.event(each, "some", "thing")
            assert log.enabled(each) == (each >= getattr(log, level.upper()))

    assert written(write, level=level).count("\n") == seen


@pytest.mark.parametrize("as_json", [False, True])
def test_a_crash_brings_its_traceback(as_json):
    def write():
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("ambassador").exception("task failed")

    text = written(write, as_json=as_json)
    assert "ValueError: broken" in text
    if as_json:
        assert text.count("\n") == 1
        assert json.loads(text)["event"] == "ambassador"


def test_other_libraries_are_heard_from_warning_up():
    def write():
        logging.getLogger("uvicorn").info("started")
        logging.getLogger("asyncio").warning("slow")

    assert written(write, level="debug").splitlines()[0].endswith("warning slow")


def test_one_of_many_is_for_machines_and_its_summary_for_people():
    def many():
        for port in (1, 2, 3):
            log.one_of_many(log.INFO, "route_started", f"web-{port}", route=f"web-{port}")
        log.summary(log.INFO, "web-1-3")

    assert [line.split()[-1] for line in written(many).splitlines()] == ["web-1-3"]
    machines = [json.loads(line) for line in written(many, as_json=True).splitlines()]
    assert [one["route"] for one in machines] == ["web-1", "web-2", "web-3"]
