"""What stood in etcd last, on disk."""

import pytest

from ambassador.core.fleet.picture import Value
from ambassador.fleet.memory import Memory

VALUES = {"/f/a": Value("x\n", 5), "/f/b": Value("{}", 6, 7)}


def test_what_was_saved_is_there_again_and_nobody_else_may_read_it(tmp_path):
    memory = Memory(tmp_path / "state")
    assert memory.load() == {}
    memory.save(VALUES)
    memory.save(VALUES)
    assert Memory(tmp_path / "state").load() == VALUES
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"version":2,"values":{}}', '{"version":1,"values":{"a":1}}'],
)
def test_what_makes_no_sense_is_nothing(tmp_path, text):
    (tmp_path / "fleet.json").write_text(text)
    assert Memory(tmp_path).load() == {}


def test_a_folder_that_cannot_be_written_is_said_and_no_more(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    Memory(tmp_path / "file").save(VALUES)
