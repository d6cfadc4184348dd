"""Settings of the program: AMBASSADOR_<NAME> or --name, one table for both and for their help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Inet
from ambassador.spec import (
    meant,
    parse_duration,
    parse_listen,
    parse_ports,
    parse_size,
    parse_word,
    shown,
)
from ambassador.spec.variable import is_injected_setting

__all__ = ["SETTINGS", "Setting", "Settings", "as_markdown"]

PREFIX = "AMBASSADOR_"
# Below, a session would be woken for less than a packet; above, few sessions fill a memory limit.
SMALLEST_BUFFER, LARGEST_BUFFER = 4 << 10, 64 << 20
LARGEST_BACKLOG = 65535
SHORTEST_TOKEN = 16  # characters; guessing one of them over a network takes longer than we live


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `parse` takes the text and where it stands and raises ConfigError;
    `default` is written as a user would write it, empty where there is none.
    """

    name: str
    parse: Callable[[str, str], Any]
    form: str
    default: str
    example: str
    help: str
    secret: bool = False  # never shown, and no flag: every user sees the arguments of a process

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The name of the flag."""
        return f"--{self.name.replace('_', '-')}"


def _names(text: str, where: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if not all(names) or any(any(char.isspace() for char in name) for name in names):
        raise ConfigError(Problem(where, "a name in the list is empty or has a blank", shown(text)))
    return names


def _ports(text: str, where: str) -> tuple[int, ...]:
    ports: list[int] = []
    problems: list[Problem] = []
    for part in text.split(","):
        try:
            ports += parse_ports(part.strip(), where).ports
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return tuple(dict.fromkeys(ports))


def _word(*words: str) -> Callable[[str, str], str]:
    return lambda text, where: parse_word(text, words, where)


def _size(text: str, where: str) -> int:
    size = parse_size(text, where)
    if not SMALLEST_BUFFER <= size <= LARGEST_BUFFER:
        raise ConfigError(Problem(where, "is too small or too large", text, "4KiB to 64MiB"))
    return size


def _backlog(text: str, where: str) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= 5
    if not digits or not 1 <= int(text) <= LARGEST_BACKLOG:
        what = f"is no number from 1 to {LARGEST_BACKLOG}"
        raise ConfigError(Problem(where, what, shown(text), "a whole number"))
    return int(text)


def _admin(text: str, where: str) -> str:
    path = text.removeprefix("unix://")
    # sun_path holds 108 bytes with the closing NUL (unix(7)).
    if text != "off" and not path.startswith("/"):
        raise ConfigError(Problem(where, "is no absolute path", shown(text), "a path, or off"))
    if "\0" in path or len(path.encode("utf-8", "surrogatepass")) > 107:
        raise ConfigError(Problem(where, "is too long for a socket", shown(text), "107 bytes"))
    return path


def _folder(text: str, where: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise ConfigError(Problem(where, "is no absolute path", shown(text), "a folder"))
    return text


def _door(text: str, where: str) -> Inet:
    address = parse_listen(text, where)
    if not isinstance(address, Inet) or address.last:
        what = "is no address with one port"
        raise ConfigError(Problem(where, what, shown(text), ":PORT or ADDRESS:PORT"))
    return address


def _token(text: str, where: str) -> str:
    # what a bearer token may hold (RFC 6750 section 2.1), without its padding rule
    fit = all(char.isascii() and (char.isalnum() or char in "-._~+/=") for char in text)
    if len(text) < SHORTEST_TOKEN or not fit:
        expected = f"{SHORTEST_TOKEN} or more letters, digits and -._~+/="
        raise ConfigError(Problem(where, "is no token that can be trusted", "***", expected))
    return text


def _path(text: str, where: str) -> str:
    if not text or "\0" in text:
        raise ConfigError(Problem(where, "is no path", shown(text), "the path of a file"))
    return text


def _grace(text: str, where: str) -> float:
    return parse_duration(text, where, zero=True)


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "routes",
            _names,
            "NAME,...",
            "",
            "redis,db",
            "take only these routes from the environment; in a pod this list must be there",
        ),
        Setting(
            "ports",
            _ports,
            "PORT,...",
            "",
            "6379,16379",
            "the ports of a link that only /etc/hosts tells of, instead of the usual ones",
        ),
        Setting(
            "config",
            _path,
            "PATH",
            "",
            "/etc/ambassador/ambassador.toml",
            "a file with routes (docs/routes.md), read again when it changes",
        ),
        Setting(
            "log",
            _word("auto", "text", "json"),
            "auto|text|json",
            "auto",
            "json",
            "one line an event: text for people or JSON; auto: text, in colour on a terminal",
        ),
        Setting(
            "level",
            _word("debug", "info", "warning", "error"),
            "debug|info|warning|error",
            "info",
            "debug",
            "the least important line that is logged; debug has one at the end of each session",
        ),
        Setting(
            "grace",
            _grace,
            "DURATION",
            "8s",
            "30s",
            "how long open sessions may go on after SIGTERM; docker stop kills after 10s",
        ),
        Setting(
            "plane",
            _word("auto", "kernel", "relay"),
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
            "upgrade",
            lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
            "yes|no",
            "no",
            "yes",
            "whether to take listeners and rules over from the ambassador that runs at the same "
            "admin socket, which then lets its sessions end and leaves",
        ),
        Setting(
            "loop",
            _word("uvloop", "asyncio"),
            "uvloop|asyncio",
            "uvloop",
            "asyncio",
            "the event loop the relay runs on",
        ),
        Setting(
            "buffer",
            _size,
            "SIZE",
            "256KiB",
            "1MiB",
            "bytes a session may hold for each direction before its sender is made to wait",
        ),
        Setting(
            "backlog",
            _backlog,
            "NUMBER",
            "4096",
            "1024",
            "new connections that may wait to be accepted; net.core.somaxconn may allow less",
        ),
        Setting(
            "admin",
            _admin,
            "PATH|off",
            "",
            "/run/ambassador/admin.sock",
            "the unix socket that status and health are asked at; by default in the first "
            "folder for such things that may be written to",
        ),
        Setting(
            "api",
            _door,
            "[HOST]:PORT",
            "",
            "127.0.0.1:9463",
            "where the admin API is served over TCP, too; then a token must be set",
        ),
        Setting(
            "api_token_file",
            _path,
            "PATH",
            "",
            "/run/secrets/ambassador",
            "the file with the token that the API over TCP asks for",
        ),
        Setting(
            "api_token",
            _token,
            "TOKEN",
            "",
            "d41c9f0e6a7b4c55",
            "the token itself; the environment is seen by more than a file is",
            secret=True,
        ),
        Setting(
            "metrics",
            _door,
            "[HOST]:PORT",
            "",
            ":9464",
            "where /metrics, /healthz and /readyz are served over TCP, to anybody who asks",
        ),
        Setting(
            "state",
            _folder,
            "DIR",
            "",
            "/var/lib/ambassador",
            "the folder in which changes made at run time are kept, so that they outlive a "
            "restart; without it they end with the program",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run: seconds, bytes, and remarks for the user in `notes`."""

    routes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    config: str = ""
    log: str = "auto"
    level: str = "info"
    grace: float = 8.0
    plane: str = "auto"
    keep_rules: bool = False
    upgrade: bool = False
    loop: str = "uvloop"
    buffer: int = 256 << 10
    backlog: int = 4096
    admin: str = ""  # empty: chosen at the start; "off": none
    api: Inet | None = None
    api_token_file: str = ""
    api_token: str = field(default="", repr=False)
    metrics: Inet | None = None
    state: str = ""  # empty: changes end with the program
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None
    ) -> Settings:
        """Read all settings; `flags` has texts by the name of the setting and wins, None counts
        as not given. An empty variable counts as not set.

        Raises ConfigError with everything that is wrong, unknown AMBASSADOR_ variables included.
        """
        values: dict[str, Any] = {}
        notes: list[str] = []
        problems: list[Problem] = []
        for setting, where, text in _given(environ, flags or {}, notes, problems):
            try:
                values[setting.name] = setting.parse(text, where)
            except ConfigError as error:
                write = setting.variable + "=" if where.startswith("env") else setting.flag + " "
                problems += [
                    replace(
                        p,
                        read="***" if setting.secret else p.read or shown(text),
                        expected=p.expected or setting.form,
                        example=write + setting.example,
                    )
                    for p in error.problems
                ]
        if problems:
            raise ConfigError(*problems)
        return cls(**values, notes=tuple(notes))


def _given(
    environ: Mapping[str, str],
    flags: Mapping[str, str | None],
    notes: list[str],
    problems: list[Problem],
) -> Iterator[tuple[Setting, str, str]]:
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        setting = SETTINGS.get(variable.removeprefix(PREFIX).lower())
        if setting is None or setting.variable != variable:
            if not is_injected_setting(variable, environ):
                problems.append(_unknown(variable, text))
        elif flags.get(setting.name) is not None:
            continue
        elif not text.strip():
            notes.append(f"{variable} is empty: counted as not set")
        else:
            yield setting, f"environment variable {variable}", text.strip()
    for name, flag in flags.items():
        if flag is not None:
            yield SETTINGS[name], f"flag {SETTINGS[name].flag}", flag


def _unknown(variable: str, text: str) -> Problem:
    known = [setting.variable for setting in SETTINGS.values()]
    what = f"is no setting{meant(variable.upper(), known)}"
    where = f"environment variable {shown(variable)}"
    return Problem(where, what, shown(text), f"one of {', '.join(known)}")


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
