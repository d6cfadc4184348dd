import socket

import pytest

from ambassador.engine.place import Where, engine_at, engine_of
from ambassador.errors import ConfigError


def test_the_setting_wins_over_the_variable_of_the_engines_own_tools():
    environ = {"DOCKER_HOST": "unix:///other"}
    assert engine_of("docker", "unix:///mine", environ).path == "/mine"
    assert engine_of("docker", "", environ).path == "/other"
    assert engine_of("podman", "", {"CONTAINER_HOST": "tcp://10.0.0.1:9"}).host == "10.0.0.1"


def test_else_a_usual_socket_that_is_there(tmp_path):
    with socket.socket(socket.AF_UNIX) as there:
        (tmp_path / "podman").mkdir()
        there.bind(str(tmp_path / "podman" / "podman.sock"))
        found = engine_of("podman", "", {"XDG_RUNTIME_DIR": str(tmp_path)})
    if found.path != "/run/podman/podman.sock":  # this machine's own
        assert found.path == str(tmp_path / "podman" / "podman.sock")


def test_tls_has_its_own_port_and_files():
    environ = {"DOCKER_CERT_PATH": "/certs"}
    assert engine_at("tcp://engine", "X", environ) == Where(
        host="engine", port=2376, certificates="/certs", said="X"
    )
    assert engine_at("tcp://engine", "X", {}).port == 2375
    home = {"DOCKER_TLS_VERIFY": "1", "HOME": "/home/me"}
    assert engine_at("tcp://[::1]:99", "X", home) == Where(
        host="::1", port=99, certificates="/home/me/.docker", said="X"
    )


@pytest.mark.parametrize(
    "text", ["http://x", "unix://relative", "tcp://", "tcp://h:99999", "tcp://h:1-2", "ssh://h"]
)
def test_what_is_no_place_is_an_error_with_an_example(text):
    with pytest.raises(ConfigError) as caught:
        engine_at(text, "DOCKER_HOST", {})
    assert caught.value.problems[0].example == "DOCKER_HOST=unix:///var/run/docker.sock"
