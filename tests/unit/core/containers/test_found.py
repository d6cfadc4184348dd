from ambassador.core.containers.found import Details, find

from .scene import container, here, replace, replica, wanted

WEB = [replica("shop", "web", n, f"10.0.0.{n}") for n in (1, 2, 3)]
HERE = here("10.0.0.1", "10.0.0.2", "10.0.0.3")


def test_each_replica_that_can_be_reached_is_an_address():
    found = find(wanted("docker://web.shop:80"), WEB, HERE)
    assert found.addresses == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    sick = [replace(WEB[0], sick=True), *WEB[1:]]
    found = find(wanted("docker://web.shop:80"), sick, HERE)
    assert found.addresses == ("10.0.0.2", "10.0.0.3")
    assert "unhealthy" in found.replicas[0].problem
    assert not found.problem


def test_a_stopped_one_is_asleep_and_says_so():
    found = find(wanted("docker://db:5432"), [container("db", state="exited")], HERE)
    assert found.problem == "db is exited"
    assert [one.name for one in found.asleep] == ["db"]


def test_a_port_that_is_not_written_comes_from_what_is_exposed():
    one = replace(container("cache", "10.0.0.1"), exposed=((7000, "tcp"),))
    assert find(wanted("docker://cache"), [one], HERE).addresses == ("10.0.0.1#7000",)


def test_what_the_list_does_not_tell_is_asked_for_once():
    one = container("cache", "10.0.0.1")
    found = find(wanted("docker://cache"), [one], HERE, lambda _: None)
    assert found.unknown == (one.id,)
    details = Details("", ((7000, "tcp"),))
    found = find(wanted("docker://cache"), [one], HERE, lambda _: details)
    assert (found.addresses, found.unknown) == (("10.0.0.1#7000",), ())


def test_the_network_mode_that_podman_does_not_list_is_asked_for():
    one = container("redis")
    found = find(wanted("docker://redis:6379"), [one], here(), lambda _: Details("host"))
    assert found.addresses == ("127.0.0.1",)
