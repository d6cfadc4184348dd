import pytest

from ambassador.core.containers.port import image_name, port_of


def test_the_only_exposed_port_is_meant():
    assert port_of([(6379, "tcp"), (53, "udp")], "tcp", "x", []) == (6379, "")


def test_else_the_usual_one_of_the_image():
    assert port_of([(5672, "tcp"), (15672, "tcp")], "tcp", "rabbitmq", [5672, 15672]) == (5672, "")
    assert port_of([], "tcp", "redis", [6379]) == (6379, "")


def test_else_it_is_an_error_that_lists_what_is_exposed():
    port, problem = port_of([(80, "tcp"), (443, "tcp")], "tcp", "web", [])
    assert port == 0
    assert "80/tcp, 443/tcp" in problem
    _, problem = port_of([(53, "udp")], "tcp", "web", [])
    assert "exposes no TCP port, only 53/udp" in problem


@pytest.mark.parametrize(
    "image", ["redis", "redis:7", "docker.io/library/redis:7@sha256:00", "reg:5000/redis"]
)
def test_an_image_is_called_by_its_last_part(image):
    assert image_name(image) == "redis"
