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
            "take only these routes from the environment; in a pod this list is required",
        ),
        Setting(
            "ports",
            values.ports,
            "PORT,...",
            "",
            "6379,16379",
            "the ports of a link of which only /etc/hosts has the name, instead of the usual ports",
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
            "the least important lines that are logged; debug adds one at the end of each session",
        ),
        Setting(
            "access_log",
            values.path,
            "PATH|-",
            "",
            "/var/log/ambassador/access.log",
            "file for one JSON line for each session that has ended; -: stdout; SIGHUP opens it "
            "again",
        ),
        Setting(
            "allow",
            parse_networks,
            "NETWORK,...",
            "all",
            "10.0.0.0/8,@/etc/ambassador/allow",
            "which clients may come in at routes without an allow of their own (docs/routes.md)",
        ),
        Setting(
            "identity",
            values.path,
            "PATH",
            "",
            "/run/secrets/ambassador.pem",
            "the ambassador's identity over TLS: a bundle with certificate, key and authority, a "
            "folder, or CERTIFICATE,KEY,AUTHORITY (docs/secret-hop.md); read again when it changes",
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
            "what carries the traffic: kernel (nftables) or relay (sockets); auto: the kernel, if "
            "the route and the privileges allow it; status shows the plane of each route",
        ),
        Setting(
            "keep_rules",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether rules in the kernel stay and go on forwarding when the ambassador stops: for "
            "an upgrade",
        ),
        Setting(
            "forward",
            values.word("leave", "accept"),
            "leave|accept",
            "leave",
            "accept",
            "what to do if rules of this host drop packets that the kernel plane forwards: leave "
            "the route to the relay, or add an accept rule to their chain (docs/firewalls.md)",
        ),
        Setting(
            "wait_healthy",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether, after a start, the ambassador is ready (healthcheck, /readyz, systemd) only "
            "once each route has an endpoint that works",
        ),
        Setting(
            "upgrade",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether to take over listeners, open sessions and rules from the ambassador that runs "
            "at the same admin socket, and then ends",
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
            "bytes a session may hold for each direction before its sender has to wait",
        ),
        Setting(
            "memory",
            values.memory,
            "auto|SIZE",
            "auto",
            "32MiB",
            "bytes all sessions of the relay may hold together; when this is nearly used up, each "
            "may hold less; auto: an eighth of the memory the cgroup allows, 64MiB at most",
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
            "worker processes that accept, connect and carry beside the first process, while there "
            "is much to do; auto: one for each core, none on a single core; 0: none",
        ),
        Setting(
            "outlive",
            values.grace,
            "DURATION",
            "60s",
            "0s",
            "how long worker processes go on accepting clients after the first process was killed, "
            "unless an ambassador at the same admin socket takes them back; 0s: they accept no "
            "more and end with their last session",
        ),
        Setting(
            "admin",
            values.admin,
            "PATH|off",
            "",
            "/run/ambassador/admin.sock",
            "the unix socket of the admin API, which verbs and healthcheck use; by default in the "
            "first usual folder that can be written to",
        ),
        Setting(
            "name",
            values.name,
            "NAME",
            "",
            "web",
            "the name of this ambassador, if several run on one host: its admin socket has this "
            "name, and so --name NAME names it in each verb",
        ),
        Setting(
            "api",
            values.door,
            "[HOST]:PORT",
            "",
            "127.0.0.1:9463",
            "where the admin API is served over TCP, too; this needs a token",
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
            "the token itself; a file is safer, since more programs can read an environment",
            secret=True,
        ),
        Setting(
            "metrics",
            values.door,
            "[HOST]:PORT",
            "",
            ":9464",
            "where /metrics, /healthz and /readyz are served over TCP, without a token",
        ),
        Setting(
            "docker",
            values.engine,
            "unix:///PATH|tcp://HOST:PORT",
            "",
            "unix:///var/run/docker.sock",
            "the container engine that is asked for docker:// and podman:// endpoints "
            "(docs/containers.md); by default DOCKER_HOST, then the usual sockets",
        ),
        Setting(
            "docker_labels",
            values.yes,
            "1|0",
            "0",
            "1",
            "whether labels of containers also make routes (docs/containers.md)",
        ),
        Setting(
            "wake_command",
            values.program,
            "COMMAND",
            "",
            "/usr/local/bin/wake",
            "the program that starts a container for waiting clients (`?wake`) instead of the "
            "engine's API; its last argument is the name of the container, or {name} is replaced "
            "by it",
        ),
        Setting(
            "state",
            values.folder,
            "DIR",
            "",
            "/var/lib/ambassador",
            "the folder that keeps changes made at run time, so that they survive a restart; "
            "without it they end with the program",
        ),
        *FLEET,
    )
}


def as_markdown() -> str:
    """Return the page docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Each setting is an environment variable or a flag of `ambassador run`; a flag wins. An",
        "empty variable counts as not set; an empty `AMBASSADOR_ALLOW` is an error. An unknown",
        "variable that begins with `AMBASSADOR_` is an error, except for variables that Docker and",
        "Kubernetes set for a link or service whose own name begins with `ambassador`.",
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
