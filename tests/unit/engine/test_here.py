import os

from ambassador.core.containers.container import Attachment, Container
from ambassador.engine.here import here, is_routed, is_shared, own_id
from ambassador.engine.place import Where

ID = "5f" * 32
MOUNTS = """\
100 99 8:1 /etc/os-release /etc/os-release ro - ext4 /dev/sda rw
2233 2211 8:1 {folder} {point} rw,relatime - ext4 /dev/sda rw
"""


def test_an_address_in_our_own_network_is_told_by_the_kernel():
    assert is_shared("127.0.0.2", 8)
    assert not is_shared("127.0.0.2", 0)
    assert not is_shared("198.51.100.1", 24)  # TEST-NET-2
    assert is_routed("127.0.0.1")
    assert not is_routed("no address")


def test_our_own_id_is_where_etc_hosts_comes_from(tmp_path):
    file = tmp_path / "mountinfo"
    for folder, point in (
        (f"/var/lib/docker/containers/{ID}/hosts", "/etc/hosts"),
        (f"/docker/containers/{ID}/resolv.conf", "/etc/resolv.conf"),
        (f"/run/containers/storage/overlay-containers/{ID}/userdata/hosts", "/etc/hosts"),
    ):
        file.write_text(MOUNTS.format(folder=folder, point=point))
        assert own_id(file) == ID
    file.write_text(MOUNTS.format(folder=f"/srv/{ID}/data", point="/data"))
    assert own_id(file) == ""
    assert own_id(tmp_path / "none") == ""


def test_one_of_the_engines_containers_is_what_we_are():
    mine = Container(ID, ("me",), networks=(Attachment("net", "n1", "10.0.0.2", 24),))
    found = here(Where(path="/s"), [mine], isolated=True, own=ID)
    assert found.own == mine
    assert not found.host
    assert here(Where(path="/s"), [], isolated=True, own="").host


def test_an_engine_on_this_machine_is_no_remote_one_though_it_is_asked_over_tcp():
    assert here(Where(host="127.0.0.1", port=2375), [], isolated=True, own="").remote == ""
    assert (
        here(Where(host="198.51.100.7", port=2375), [], isolated=True, own="").remote
        == "198.51.100.7"
    )


def test_the_socket_of_a_users_own_engine_belongs_to_the_user(tmp_path, monkeypatch):
    socket = tmp_path / "s"
    socket.touch()
    real = os.stat

    def of(user):
        def stat(path, **more):
            found = real(path, **more)
            return os.stat_result((*found[:4], user, *found[5:])) if path == str(socket) else found

        monkeypatch.setattr(os, "stat", stat)
        return here(Where(path=str(socket)), (), True, "")

    assert of(1000).rootless
    assert not of(0).rootless
    assert not here(Where(path=str(tmp_path / "none")), (), True, "").rootless
