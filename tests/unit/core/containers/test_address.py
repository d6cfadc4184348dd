from ambassador.core.containers.address import place_of
from ambassador.core.containers.container import Attachment

from .scene import container, here, published, replace, wanted

REDIS = wanted("docker://redis:6379")


def place(one, where, text=REDIS, others=(), port=6379):
    return place_of(one, text, where, {c.id: c for c in (one, *others)}, port)


def test_the_address_in_our_own_network_is_taken():
    one = container("redis", "10.0.0.2")
    one = replace(one, networks=(*one.networks, Attachment("back", "id-back", "10.1.0.2", 24)))
    assert place(one, here("10.1.0.2")).addresses == ("10.1.0.2",)
    assert place(one, here("10.1.0.2")).network == "back"


def test_a_network_that_is_named_is_the_only_one_looked_at():
    one = container("redis", "10.0.0.2")
    found = place(one, here("10.0.0.2"), wanted("docker://redis:6379?network=back"))
    assert found.problem == "redis is in no network back, only in net"


def test_without_a_network_in_common_both_sides_are_named():
    mine = container("ambassador", "10.9.0.2", network="front")
    found = place(container("redis", "10.0.0.2"), here(own=mine))
    assert not found.addresses
    assert "redis is in net, this ambassador in front" in found.problem
    assert "docker network connect net ambassador" in found.problem


def test_where_networks_are_not_isolated_a_routed_address_will_do_and_is_remarked_on():
    where = here(isolated=False, routed=lambda address: address == "10.0.0.2", host=False)
    found = place(container("redis", "10.0.0.2"), where)
    assert found.addresses == ("10.0.0.2",)
    assert "router" in found.note
    # on the host each bridge is near: what is not is in somebody's own namespace
    far = place(container("redis", "10.0.0.2"), where._replace(host=True))
    assert not far.addresses
    assert "of a rootless engine only published ports can be reached" in far.problem


def test_of_a_users_own_engine_only_published_ports_count_though_root_has_that_subnet_too():
    where = here("10.89.0.2", rootless=True, isolated=False)
    one = container("redis", "10.89.0.2", published=(published(6379, 16379),))
    assert place(one, where).addresses == ("127.0.0.1#16379",)
    none = place(container("redis", "10.89.0.2"), where)
    assert (none.addresses, "publishes no port 6379/tcp" in none.problem) == ((), True)
    assert place(container("redis", mode="host"), where).addresses == ("127.0.0.1",)
    assert not place(container("redis", mode="host"), where._replace(isolated=True)).addresses


def test_what_does_not_run_or_is_sick_or_paused_gets_nobody():
    for state in ("exited", "created", "restarting", "paused", "dead"):
        one = container("redis", "10.0.0.2", state=state)
        assert place(one, here("10.0.0.2")).problem.startswith("redis is")
    assert "unhealthy" in place(container("redis", "10.0.0.2", sick=True), here("10.0.0.2")).problem


def test_one_in_the_network_of_another_is_where_that_one_is():
    other = container("pod", "10.0.0.7")
    one = container("redis", mode=f"container:{other.id}")
    found = place(one, here("10.0.0.7"), others=[other])
    assert found.addresses == ("10.0.0.7",)
    assert found.note == "in the network of pod"
    assert "which is gone" in place(one, here("10.0.0.7")).problem


def test_one_in_the_hosts_network_is_at_127_0_0_1_from_the_host_and_at_the_gateway_else():
    one = container("redis", mode="host")
    assert place(one, here()).addresses == ("127.0.0.1",)
    inside = here(host=False, gateway=lambda: "172.17.0.1")
    assert place(one, inside).addresses == ("172.17.0.1",)
    assert "no gateway" in place(one, here(host=False)).problem


def test_on_another_machine_only_published_ports_count_though_a_subnet_is_ours_too():
    one = container("redis", "10.0.0.2", published=(published(6379, 32768),))
    where = here("10.0.0.2", remote="engine.example.com")
    assert place(one, where).addresses == ("engine.example.com#32768",)
    assert "publishes no port 80/tcp, only 6379/tcp" in place(one, where, port=80).problem


def test_a_port_published_on_the_loopback_of_another_machine_is_out_of_reach():
    one = container("redis", published=(published(6379, 32768, "127.0.0.1"),))
    assert "only" in place(one, here(remote="10.5.5.5")).problem


def test_without_any_network_a_published_port_will_do_on_the_host():
    one = container("redis", published=(published(6379, 16379),))
    assert place(one, here()).addresses == ("127.0.0.1#16379",)
    assert "publishes no port" in place(container("redis"), here()).problem


def test_an_ipv6_address_alone_is_enough():
    assert place(container("redis", "fd00::2"), here("fd00::2")).addresses == ("fd00::2",)
