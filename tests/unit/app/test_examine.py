import asyncio

from ambassador.app.assemble import assigned
from ambassador.app.examine import examine, unreadable
from ambassador.model import Inet, Route
from ambassador.settings import Settings
from tests.fake_engine import FakeEngine, entry

TEXT = "X_PORT_6379_TCP={}"


def found(tmp_path, endpoint, *containers):
    async def story():
        engine = FakeEngine(tmp_path / "s")
        engine.containers = list(containers)
        await engine.start()
        try:
            settings = Settings(docker=f"unix://{engine.path}")
            routes = assigned([TEXT.format(endpoint)]).routes
            return await asyncio.to_thread(examine, settings, {}, routes)
        finally:
            await engine.stop()

    return asyncio.run(story())


def test_a_container_that_can_be_reached_is_no_problem(tmp_path):
    assert found(tmp_path, "docker://redis", entry("redis", "127.0.0.2")) == ()
    assert found(tmp_path, "tcp://redis:6379") == ()


def test_an_unknown_one_is_told_with_the_nearest_name(tmp_path):
    (problem,) = found(tmp_path, "docker://rdis", entry("redis", "127.0.0.2"))
    assert problem.what == 'no container is called rdis, did you mean "redis"?'
    assert problem.where == "argument X_PORT_6379_TCP"


def test_a_stopped_one_is_a_problem_without_wake(tmp_path):
    stopped = entry("redis", state="exited")
    (problem,) = found(tmp_path, "docker://redis", stopped)
    assert (problem.what, "?wake" in problem.expected) == ("redis is exited", True)
    assert found(tmp_path, "docker://redis?wake", stopped) == ()


def test_an_engine_that_is_not_there_is_told(tmp_path):
    settings = Settings(docker=f"unix://{tmp_path}/none")
    routes = assigned([TEXT.format("docker://redis")]).routes
    (problem,) = examine(settings, {}, routes)
    assert "there is no such socket" in problem.what


def test_files_that_cannot_be_read_are_told_and_others_are_not(tmp_path):
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.write_text("secret")
    one = Route("db", Inet("", 5432), (), password_file=str(there), health_tls=str(missing))
    found = unreadable([one, Route("redis", Inet("", 6379), (), health_tls="yes")])
    assert found == [f"db  health_tls: {missing} cannot be read: no such file or directory"]
