from ambassador.core.containers.book import Book, Event, read_event

from .scene import container, replace

REDIS = container("redis", "10.0.0.2")
NET = "id-net"


def book(*containers):
    return Book().listed(containers, None, 0.0)


def addresses(known):
    (one,) = known.all()
    return [network.ipv4 for network in one.networks] if one.state == "running" else []


def heard(known, action, now, at=0, network=""):
    return known.heard(Event(action, REDIS.id, network, at), now)


def test_a_death_counts_at_once_and_a_list_that_lags_behind_it_does_not():
    known = heard(book(REDIS), "die", 10.0)
    assert addresses(known) == []
    assert addresses(known.listed([REDIS], {REDIS.id}, 10.4)) == []
    assert addresses(known.listed([REDIS], None, 11.0)) == ["10.0.0.2"]  # it says so a second later


def test_a_list_that_shows_another_life_is_believed_before_the_event_of_its_start():
    known = heard(book(REDIS), "die", 10.0)
    moved = container("redis", "10.0.0.3")
    assert addresses(known.listed([moved], {REDIS.id}, 10.1)) == ["10.0.0.3"]
    ended = container("redis", "10.0.0.2", state="exited")
    known = known.listed([ended], None, 10.1)
    assert addresses(known) == []
    assert addresses(known.listed([REDIS], None, 10.2)) == ["10.0.0.2"]  # where it was before
    assert addresses(known.listed([container("redis")], None, 10.2)) == []


def test_after_a_start_only_what_was_asked_for_since_tells_where_it_is():
    known = heard(heard(book(REDIS), "die", 10.0), "start", 10.5)
    assert addresses(known) == []  # not the address it had
    assert addresses(known.listed([REDIS], {REDIS.id}, 10.4)) == []  # asked before
    moved = container("redis", "10.0.0.3")
    assert addresses(known.listed([moved], {REDIS.id}, 10.6)) == ["10.0.0.3"]


def test_a_death_that_is_told_after_the_next_start_is_an_old_one():
    moved = container("redis", "10.0.0.3")
    known = heard(book(REDIS), "start", 10.5, at=2_000)
    known = known.listed([moved], {REDIS.id}, 10.6)
    assert addresses(heard(known, "died", 10.7, at=1_000)) == ["10.0.0.3"]
    assert addresses(heard(known, "died", 10.7, at=3_000)) == []


def test_a_start_that_is_told_after_the_next_death_is_an_old_one():
    known = heard(book(REDIS), "die", 10.0, at=3_000)
    assert addresses(heard(known, "start", 10.1, at=2_000).listed([REDIS], None, 10.2)) == []


def test_a_network_that_was_left_counts_at_once_and_one_that_was_joined_when_it_is_listed():
    known = heard(book(REDIS), "disconnect", 10.0, network=NET)
    assert addresses(known) == []
    assert addresses(known.listed([REDIS], {REDIS.id}, 10.1)) == []
    known = heard(known, "connect", 10.2, network=NET)
    assert addresses(known) == []
    moved = container("redis", "10.0.0.9")
    assert addresses(known.listed([moved], {REDIS.id}, 10.3)) == ["10.0.0.9"]


def test_what_is_destroyed_is_gone_and_a_list_of_some_leaves_others_alone():
    web = container("web", "10.0.0.5")
    known = book(REDIS, web).heard(Event("destroy", web.id), 1.0)
    assert [one.name for one in known.all()] == ["redis"]
    assert [one.name for one in known.listed([], {REDIS.id}, 2.0).all()] == []
    assert [one.name for one in book(REDIS, web).listed([], {REDIS.id}, 2.0).all()] == ["web"]


def test_health_that_only_events_tell_of_counts_until_the_next_start():
    sick = Event("health_status", REDIS.id, health="unhealthy")
    known = book(REDIS).heard(sick, 1.0)
    assert known.all()[0].sick
    assert not heard(known, "start", 2.0).all()[0].sick
    assert not known.heard(replace(sick, health="healthy"), 2.0).all()[0].sick


def test_events_of_docker_and_of_podman_are_read():
    docker = {
        "Type": "container",
        "Action": "health_status: healthy",
        "Actor": {"ID": "abc", "Attributes": {"name": "redis"}},
        "timeNano": 5,
    }
    assert read_event(docker) == Event("health_status", "abc", "", 5, "healthy")
    podman = {
        "Type": "container",
        "Action": "health_status",
        "HealthStatus": "unhealthy",
        "Actor": {"ID": "abc"},
    }
    assert read_event(podman) == Event("health_status", "abc", "", 0, "unhealthy")
    network = {
        "Type": "network",
        "Action": "connect",
        "Actor": {"ID": "n1", "Attributes": {"container": "abc"}},
    }
    assert read_event(network) == Event("connect", "abc", "n1")


def test_what_is_no_event_of_a_container_is_passed_over():
    for entry in (None, [], {"Type": "image", "Action": "pull", "Actor": {"ID": "x"}}, {}, 7):
        assert read_event(entry) is None
