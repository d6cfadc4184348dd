"""The examples of containers by name: Compose reads one, a Quadlet has keys Podman knows."""

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ambassador.settings import Settings
from ambassador.sources.env import EnvironmentSource
from ambassador.spec import format_endpoints

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose" / "containers.yaml"
QUADLET = DEPLOY / "podman" / "ambassador.container"
# podman-systemd.unit(5)
KEYS = {
    *("image", "containername", "network", "volume", "podmanargs", "securitylabeldisable"),
    *("environment", "publishport"),
}


def read(environ):
    settings = Settings.from_environ(
        {key: value for key, value in environ.items() if key.startswith("AMBASSADOR_")}
    )
    (route,) = EnvironmentSource(environ, ()).read().routes
    return settings, format_endpoints(route.endpoints)


def test_compose_reads_the_example():
    if not shutil.which("docker-compose"):
        pytest.skip("needs docker-compose: ./dev test")
    command = ["docker-compose", "-f", COMPOSE, "config", "--quiet"]
    subprocess.run(command, check=True, timeout=60, env=os.environ)


def test_the_proxy_of_the_example_lets_nobody_post_and_is_the_only_one_with_the_socket():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert services["engine"]["environment"]["POST"] == "0"
    with_socket = [name for name, one in services.items() if "docker.sock" in str(one)]
    assert with_socket == ["engine"]
    settings, endpoints = read(services["ambassador"]["environment"])
    assert (settings.docker, settings.docker_labels) == ("tcp://engine:2375", True)
    assert endpoints == "docker://cache:6379"


def test_the_quadlet_has_known_keys_and_mounts_the_folder_of_the_socket():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(QUADLET)
    container = parser["Container"]
    assert set(container) <= KEYS
    folder, inside = container["volume"].split(":")
    assert (folder, inside) == ("%t/podman", "/run/podman")
    lines = QUADLET.read_text().splitlines()
    given = [line.partition("=")[2] for line in lines if line.startswith("Environment=")]
    settings, endpoints = read(dict(one.split("=", 1) for one in given))
    assert settings.docker == f"unix://{inside}/podman.sock"
    assert endpoints == "podman://redis:6379"
