"""The Kubernetes example: its containers as the kubelet would start them.

No cluster is here: one container's network is shared by the others, as in a pod, and what the
manifest says is translated to the engine's words; a key without a translation is an error.
"""

from __future__ import annotations

from typing import Any

import yaml

from .bed import resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import CHECKOUT, REDIS

MANIFEST = CHECKOUT / "deploy" / "kubernetes" / "sidecar.yaml"

# Probes are run by hand below; the engine pulls nothing and limits no CPU here.
NOT_TRANSLATED = {
    *("startupProbe", "readinessProbe", "livenessProbe"),
    *("imagePullPolicy", "restartPolicy", "resources", "name", "image", "command"),
}


def manifest() -> dict[str, Any]:
    return yaml.safe_load(MANIFEST.read_text())


def container(name: str) -> dict[str, Any]:
    """Return the container of that name in the manifest's pod."""
    pod = manifest()["spec"]["template"]["spec"]
    found = {one["name"]: one for one in pod["initContainers"] + pod["containers"]}
    return found[name]


def flags(spec: dict[str, Any]) -> list[str]:
    """Translate one container to the flags of `docker run`."""
    words: list[str] = []
    for key in spec.keys() - NOT_TRANSLATED:
        if key == "env":
            for one in spec["env"]:
                words += ["-e", f"{one['name']}={one['value']}"]
        elif key == "securityContext":
            words += confinement(spec[key])
        else:
            raise KeyError(f"{key} of container {spec['name']} has no translation")
    return words


def confinement(context: dict[str, Any]) -> list[str]:
    rest = dict(context)
    words = ["--user", f"{rest.pop('runAsUser')}:{rest.pop('runAsGroup')}"]
    words += [f"--cap-drop={name}" for name in rest.pop("capabilities")["drop"]]
    if rest.pop("readOnlyRootFilesystem"):
        words.append("--read-only")
    if not rest.pop("allowPrivilegeEscalation"):
        words.append("--security-opt=no-new-privileges")
    assert not rest, f"{sorted(rest)} of a security context has no translation"
    return words


def service(name: str, address: str, port: int) -> list[str]:
    """Return what the kubelet sets for one Service (its envvars.go), as flags."""
    link = f"{name}_PORT_{port}_TCP"
    variables = {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_PORT": f"tcp://{address}:{port}",
        link: f"tcp://{address}:{port}",
        f"{link}_PROTO": "tcp",
        f"{link}_PORT": str(port),
        f"{link}_ADDR": address,
    }
    return [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]


def start_in_pod(host: Engine, name: str, redis: str, *more: str, without: str = "") -> None:
    """Start one container of the manifest in the network of the container `pod`."""
    spec = container(name)
    spec["env"] = [one for one in spec.get("env", []) if one["name"] != without]
    services = [
        *service("KUBERNETES", "10.96.0.1", 443),
        *service("METRICS_STORE", "10.96.0.9", 9090),
        *service("REDIS", redis, 6379),
    ]
    host.docker(
        *("run", "-d", "--name", name, "--network", "container:pod"),
        *services,
        *flags(spec),
        spec["image"],
        *spec.get("command", []),
        *more,
    )


def start_pod(host: Engine) -> str:
    """Start what holds the pod's network, and a Redis elsewhere; return its address."""
    host.docker("run", "-d", "--name", "redis", REDIS)
    host.docker("run", "-d", "--name", "pod", REDIS, "sleep", "600")
    address = host.container_address("redis")
    resp.first_pong(host, address)
    return address


def test_the_consumer_of_the_pod_reaches_the_service_through_its_own_loopback(
    near: Engine,
) -> None:
    redis = start_pod(near)
    start_in_pod(near, "ambassador", redis)
    probe = container("ambassador")["readinessProbe"]["exec"]["command"]

    def ready() -> bool:
        return near.client("exec", "ambassador", *probe, ok=None).returncode == 0

    until(ready, "the readiness probe succeeds")
    start_in_pod(near, "consumer", redis)
    until(lambda: "PONG" in near.logs("consumer"), "the consumer's first PONG")
    assert resp.ask(near, "PING", near.container_address("pod")) == "gone"  # not from outside

    near.docker("stop", "ambassador")
    assert near.exit_code("ambassador") == 0


def test_without_a_list_of_routes_it_says_which_services_it_found(near: Engine) -> None:
    redis = start_pod(near)
    start_in_pod(near, "ambassador", redis, without="AMBASSADOR_ROUTES")
    assert near.exit_code("ambassador") == 2
    said = near.logs("ambassador")
    for word in ("AMBASSADOR_ROUTES", "redis", "metrics_store"):
        assert word in said
    assert "10.96.0.1" not in said
