import pytest

from ambassador.core.containers.container import Attachment, Published, read_containers

ENTRY = {
    "Id": "a" * 64,
    "Names": ["/other/alias", "/redis"],
    "Image": "redis:7",
    "State": "running",
    "Status": "Up 2 minutes (unhealthy)",
    "Labels": {"com.docker.compose.service": "redis", "com.docker.compose.project": "shop"},
    "HostConfig": {"NetworkMode": "shop_default"},
    "Ports": [
        {"PrivatePort": 6379, "Type": "tcp"},
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
    ],
    "NetworkSettings": {
        "Networks": {
            "shop_default": {
                "NetworkID": "n" * 64,
                "IPAddress": "172.18.0.2",
                "IPPrefixLen": 16,
                "GlobalIPv6Address": "",
                "GlobalIPv6PrefixLen": 0,
            }
        }
    },
}


def test_an_entry_of_dockers_list_is_read():
    (one,) = read_containers([ENTRY])
    assert one.name == "redis"
    assert (one.replica_of, one.project, one.sick, one.mode) == (
        "redis",
        "shop",
        True,
        "shop_default",
    )
    assert one.networks == (Attachment("shop_default", "n" * 64, "172.18.0.2", 16),)
    assert one.exposed == ((6379, "tcp"), (80, "tcp"))
    assert one.published == (Published(80, "tcp", 8080, "0.0.0.0"),)


def test_what_podman_leaves_out_or_says_as_null_is_not_there():
    entry = {"Id": "b" * 64, "Names": ["redis"], "State": "running", "Labels": None}
    entry |= {"NetworkSettings": {"Networks": None}, "Ports": None, "Image": None}
    (one,) = read_containers([entry])
    assert (one.name, one.networks, one.exposed, one.mode) == ("redis", (), (), "")


@pytest.mark.parametrize("answer", [{}, None, "no", [1], [{"Id": 5}], [{}]])
def test_what_is_no_list_of_containers_is_an_error(answer):
    with pytest.raises(ValueError, match=r"list|container"):
        read_containers(answer)
