"""The operator's wishes outlive the program; a bad folder or file is told and left alone."""

import shutil
import signal

import pytest

from ambassador.admin import client
from ambassador.core.commands import Add, History, Hold, Maint, Move, Remove, Reset, Status, Undo
from ambassador.errors import NotFoundError, RunError
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.wait import until


@pytest.fixture
def run(peers, tmp_path):
    """Start ambassadors with one folder for their state, one after the other."""

    class Run:
        def __init__(self) -> None:
            self.programs: list[Program] = []
            self.ports = [free_port() for _ in range(3)]
            self.old, self.new = peers.echo(), peers.echo()
            self.state = tmp_path / "state"
            self.admin = tmp_path / "admin.sock"

        def __call__(self) -> Program:
            program = Program(
                *(
                    f"{name}_PORT_{port}_TCP=tcp://127.0.0.1:{self.old.port}"
                    for name, port in zip(("DB", "WEB", "MAIL"), self.ports, strict=True)
                ),
                AMBASSADOR_ADMIN=str(self.admin),
                AMBASSADOR_STATE=str(self.state),
            )
            self.programs.append(program)
            return program

        def started(self) -> Program:
            program = self()
            program.started()
            until(lambda: is_ready(self.admin), 15)
            return program

        def ask(self, command):
            return client.ask(self.admin, command)

        def status(self):
            return {one.name: one for one in self.ask(Status()).routes}

    run = Run()
    yield run
    for program in run.programs:
        with program:
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_as_it_was_after_a_restart(run, number):
    program = run.started()
    there = f"tcp://127.0.0.1:{run.new.port}"
    extra = free_port()
    run.ask(Move("db", (there,)))
    run.ask(Maint("web"))
    run.ask(Remove("mail"))
    run.ask(Add((f"CACHE_PORT_{extra}_TCP=tcp://127.0.0.1:{run.new.port}",)))
    run.ask(Hold("cache"))
    before = run.ask(Status())
    program.send(number)
    program.exit_code()
    program = run.started()
    after = run.ask(Status())
    assert [one.differs for one in after.routes] == [one.differs for one in before.routes]
    assert after.removed == before.removed
    said = " ".join(program.said("differs"))
    for word in ("db  moved by", "web  127.0.0.1", "mail  removed by", "cache  added, held by"):
        assert word in said
    found = run.status()
    assert [one.endpoint for one in found["db"].endpoints] == [there]
    assert found["web"].endpoints[0].admin == "maint"
    assert found["cache"].hold.limit == 1000
    run.ask(Reset("db"))
    program.stop(number)
    run.started()
    assert run.status()["db"].differs == ""
    run.ask(Reset())
    with pytest.raises(NotFoundError):
        run.ask(Status("cache"))
    assert set(run.status()) == {"db", "web", "mail"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2, "wishes": []}', '{"version": 1}'])
def test_a_damaged_file_is_told_and_left_alone(run, text):
    run.state.mkdir()
    file = run.state / "wishes.json"
    file.write_text(text)
    program = run()
    assert program.exit_code() == 2
    (said,) = program.said("not_started")
    assert str(file) in said
    assert f"mv {file} {file}.damaged" in said
    assert file.read_text() == text


def test_a_folder_that_cannot_be_is_told_at_the_start(run):
    run.state.write_text("no folder")
    program = run()
    assert program.exit_code() == 2
    assert f"{run.state}: cannot be made: file exists" in program.said("not_started")[0]


def test_a_folder_that_goes_is_told_at_the_next_change_which_is_not_made(run):
    run.started()
    shutil.rmtree(run.state)
    before = run.status()["db"]
    for command in (Hold("db"), Move("db", (f"tcp://127.0.0.1:{run.new.port}",)), Remove("db")):
        with pytest.raises(RunError, match=r"wishes\.json cannot be written"):
            run.ask(command)
    after = run.status()["db"]
    assert (after.hold, after.differs, after.endpoints) == (None, "", before.endpoints)
    run.state.mkdir()
    run.ask(Hold("db"))
    assert run.status()["db"].hold is not None


def test_after_a_restart_the_last_change_is_known_and_taken_back(run):
    with run.started() as program:
        assert run.ask(Move("db", (f"tcp://127.0.0.1:{run.new.port}",)))
        assert run.ask(Hold("web"))
        program.stop(signal.SIGKILL)
    with run.started():
        found = run.ask(History())
        assert [(one.route, one.last) for one in found.changes] == [("web", True), ("db", True)]
        assert run.ask(Undo("web")).change == 2
        undone = run.ask(Undo("db"))
        assert undone.endpoints == (f"tcp://127.0.0.1:{run.old.port}",)
        assert [one.differs for one in run.status().values()] == ["", "", ""]
