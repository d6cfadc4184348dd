import asyncio

from ambassador.resolve.hosts import HostsFile


def addresses(hosts: HostsFile, name: str) -> tuple[str, ...] | None:
    answer = asyncio.run(hosts.ask(name))
    return answer.addresses if answer else None


def test_a_name_has_the_addresses_of_all_its_lines(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("fd00::2 redis\n172.17.0.2 redis 3f2a9c0d1e2f\n")
    hosts = HostsFile(path)
    assert addresses(hosts, "redis") == ("172.17.0.2", "fd00::2")
    assert addresses(hosts, "3f2a9c0d1e2f") == ("172.17.0.2",)
    assert addresses(hosts, "db") is None


def test_the_file_has_no_ttl_so_it_is_looked_at_again_within_a_second(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("172.17.0.2 redis\n")
    assert asyncio.run(HostsFile(path).ask("redis")).ttl == 1


def test_it_is_followed_when_docker_writes_it_anew(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("172.17.0.2 redis\n")
    hosts = HostsFile(path)
    for last in range(3, 9):  # the same size each time, and mostly the same tick of the clock
        assert addresses(hosts, "redis") == (f"172.17.0.{last - 1}",)
        path.write_text(f"172.17.0.{last} redis\n")
    path.write_text("")
    assert addresses(hosts, "redis") is None


def test_a_file_that_is_not_there_or_cannot_be_read_names_nothing(tmp_path):
    path = tmp_path / "hosts"
    hosts = HostsFile(path)
    assert addresses(hosts, "redis") is None
    path.mkdir()
    assert addresses(hosts, "redis") is None
    path.rmdir()
    path.write_bytes(b"\xff\xfe bad\n172.17.0.2 redis\n")
    assert addresses(hosts, "redis") == ("172.17.0.2",)
    path.unlink()
    assert addresses(hosts, "redis") is None


def test_a_name_within_another_or_in_a_remark_is_not_that_name(tmp_path, monkeypatch):
    path = tmp_path / "hosts"
    path.write_bytes(
        b"10.0.0.1 redis-2 my.redis\r\n10.0.0.2 other # redis\n10.0.0.3 REDIS\nFD00::1 redis"
    )
    for searched in (500 << 20, 0):  # by a search, and line by line
        monkeypatch.setattr("ambassador.resolve.hosts._SEARCHED", searched)
        assert addresses(HostsFile(path), "Redis.") == ("10.0.0.3", "FD00::1")
