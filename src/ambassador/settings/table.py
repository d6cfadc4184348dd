"""The table of settings, for the environment, the flags, and their help."""

from __future__ import annotations

from collections.abc import Mapping

from ambassador.settings import values
from ambassador.settings.fleet import FLEET
from ambassador.settings.setting import PREFIX, Setting
from ambassador.spec import parse_word
from ambassador.spec.networks import parse_networks

__all__ = ["PREFIX", "SETTINGS", "Setting", "as_markdown"]

SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "routes",
            values.names,
            "NAME,...",
            "",
            "redis,db",
            "take only these routes from the environment; in a pod this list must be there",
        ),
        Setting(
            "ports",
            values.ports,
            "PORT,...",
            "",
            "6379,16379",
            "the ports of a link that only /etc/hosts tells of, instead of the usual ones",
        ),
        Setting(
            "config",
            values.path,
            "PATH",
            "",
            "/etc/ambassador/ambassador.toml",
            "a file with routes (docs/routes.md), read again when it changes",
        ),
        Setting(
            "log",
            values.word("auto", "text", "json"),
            "auto|text|json",
            "auto",
            "json",
            "one line an event: text for people or JSON; auto: text, in colour on a terminal",
        ),
        Setting(
            "level",
            values.word("debug", "info", "warning", "error"),
            "debug|info|warning|error",
            "info",
            "debug",
            "the least important line that is logged; debug has one at the end of each session",
        ),
        Setting(
            "access_log",
            values.path,
            "PATH|-",
            "",
            "/var/log/ambassador/access.log",
            "one JSON line for each session that has ended; -: to stdout; SIGHUP opens it again",
        ),
        Setting(
            "allow",
            parse_networks,
            "NETWORK,...",
            "all",
            "10.0.0.0/8,@/etc/ambassador/allow",
            "who may come in at routes that do not say so themselves (docs/routes.md)",
        ),
        Setting(
            "identity",
            values.path,
            "PATH",
            "",
            "/run/secrets/ambassador.pem",
            "who we are over TLS: a bundle with certificate, key and authority, a folder, "
            "or CERTIFICATE,KEY,AUTHORITY (docs/secret-hop.md); read again when it changes",
        ),
        Setting(
            "grace",
            values.grace,
            "DURATION",
            "8s",
            "30s",
            "how long open sessions may go on after SIGTERM; docker stop kills after 10s",
        ),
        Setting(
            "plane",
            values.word("auto", "kernel", "relay"),
            "auto|kernel|relay",
            "auto",
            "kernel",
            "what carries the traffic: nftables in the kernel, or sockets; auto: the kernel where "
            "a route and the privileges allow it, and each route says which",
        ),
        Setting(
            "keep_rules",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether rules in the kernel stay, and forward, when the ambassador stops: for an "
            "upgrade",
        ),
        Setting(
            "forward",
            values.word("leave", "accept"),
            "leave|accept",
            "leave",
            "accept",
            "what to do where rules of this host drop what the kernel plane forwards: leave it to "
            "the relay, or add a rule of ours to their chain (docs/firewalls.md)",
        ),
        Setting(
            "wait_healthy",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether, after a start, it counts as ready (healthcheck, /readyz, systemd) only once "
            "each route has an endpoint that works",
        ),
        Setting(
            "upgrade",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether to take listeners, open sessions and rules over from the ambassador that runs "
            "at the same admin socket, which then ends",
        ),
        Setting(
            "loop",
            values.word("uvloop", "asyncio"),
            "uvloop|asyncio",
            "uvloop",
            "asyncio",
            "the event loop the relay runs on",
        ),
        Setting(
            "buffer",
            values.size,
            "SIZE",
            "256KiB",
            "1MiB",
            "bytes a session may hold for each direction before its sender is made to wait",
        ),
        Setting(
            "memory",
            values.memory,
            "auto|SIZE",
            "auto",
            "32MiB",
            "bytes all sessions of the relay may hold, together; where that is short each may hold "
            "less; auto: an eighth of the memory the cgroup allows, 64MiB at most",
        ),
        Setting(
            "backlog",
            values.backlog,
            "NUMBER",
            "4096",
            "1024",
            "new connections that may wait to be accepted; net.core.somaxconn may allow less",
        ),
        Setting(
            "workers",
            values.workers,
            "auto|NUMBER",
            "auto",
            "0",
            "processes that accept, connect and carry beside the first one, while there is much to "
            "do; auto: one for each core, none where there is one; 0: the first does it all",
        ),
        Setting(
            "outlive",
            values.grace,
            "DURATION",
            "60s",
            "0s",
            "how long these processes go on accepting clients when the first one was killed, until "
            "an ambassador at the same admin socket takes them back; 0s: not at all, they end with "
            "their sessions",
        ),
        Setting(
            "admin",
            values.admin,
            "PATH|off",
            "",
            "/run/ambassador/admin.sock",
            "the unix socket that status and health are asked at; by default in the first "
            "folder for such things that may be written to",
        ),
        Setting(
            "name",
            values.name,
            "NAME",
            "",
            "web",
            "what this ambassador is called where several run on one host: its admin socket has "
            "that name, and verbs are given the same one",
        ),
        Setting(
            "api",
            values.door,
            "[HOST]:PORT",
            "",
            "127.0.0.1:9463",
            "where the admin API is served over TCP, too; then a token must be set",
        ),
        Setting(
            "api_token_file",
            values.path,
            "PATH",
            "",
            "/run/secrets/ambassador",
            "the file with the token that the API over TCP asks for; read again at a reload",
        ),
        Setting(
            "api_token",
            values.token,
            "TOKEN",
            "",
            "d41c9f0e6a7b4c55",
            "the token itself; the environment is seen by more than a file is",
            secret=True,
        ),
        Setting(
            "metrics",
            values.door,
            "[HOST]:PORT",
            "",
            ":9464",
            "where /metrics, /healthz and /readyz are served over TCP, to anybody who asks",
        ),
        Setting(
            "docker",
            values.engine,
            "unix:///PATH|tcp://HOST:PORT",
            "",
            "unix:///var/run/docker.sock",
            "the engine that docker:// and podman:// endpoints are asked of "
            "(docs/containers.md); by default DOCKER_HOST, then the usual sockets",
        ),
        Setting(
            "docker_labels",
            values.yes,
            "1|0",
            "0",
            "1",
            "whether the labels of containers make routes, too (docs/containers.md)",
        ),
        Setting(
            "wake_command",
            values.program,
            "COMMAND",
            "",
            "/usr/local/bin/wake",
            "what starts a container for clients that wait (`?wake`) instead of the engine's API; "
            "the name of the container is its last argument, or stands for {name}",
        ),
        Setting(
            "state",
            values.folder,
            "DIR",
            "",
            "/var/lib/ambassador",
            "the folder in which changes made at run time are kept, so that they outlive a "
            "restart; without it they end with the program",
        ),
        *FLEET,
    )
}


def as_markdown() -> str:
    """Return the page docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Each is an environment variable or a flag of `ambassador run`; a flag wins. An empty",
        "variable counts as not set. An unknown variable that begins with `AMBASSADOR_` is an",
        "error, except for what Docker and Kubernetes set for a link or service whose own name",
        "begins with `ambassador`.",
        "",
        "| variable | flag | value | default | meaning | example |",
        "|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS.values():
        form = setting.form.replace("|", "\\|")
        default = f"`{setting.default}`" if setting.default else ""
        flag = "" if setting.secret else f"`{setting.flag}`"
        lines.append(
            f"| `{setting.variable}` | {flag} | `{form}` | {default} "
            f"| {setting.help} | `{setting.variable}={setting.example}` |"
        )
    return "\n".join([*lines, ""])
