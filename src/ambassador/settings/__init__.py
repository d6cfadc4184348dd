"""Settings of the program: AMBASSADOR_<NAME> or --<name>, one table for both and for their help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Inet
from ambassador.settings.table import PREFIX, SETTINGS, Setting, as_markdown
from ambassador.spec import meant, nearest, shown
from ambassador.spec.networks import EVERYBODY
from ambassador.spec.variable import is_injected_setting

if TYPE_CHECKING:
    from ambassador.core.fleet.allow import Allowed

__all__ = ["SETTINGS", "Setting", "Settings", "as_markdown"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run: times in seconds, sizes in bytes; `notes` are for the user."""

    routes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    config: str = ""
    log: str = "auto"
    level: str = "info"
    access_log: str = ""
    allow: tuple[str, ...] = EVERYBODY
    identity: str = ""
    grace: float = 8.0
    plane: str = "auto"
    keep_rules: bool = False
    forward: str = "leave"
    wait_healthy: bool = False
    upgrade: bool = False
    loop: str = "uvloop"
    buffer: int = 256 << 10
    memory: int | None = None  # None: a share of what the cgroup allows
    backlog: int = 4096
    workers: int | None = None  # None: as many as there are cores
    outlive: float = 60.0
    admin: str = ""  # empty: the path is chosen at the start; "off": no admin socket
    name: str = ""
    api: Inet | None = None
    api_token_file: str = ""
    api_token: str = field(default="", repr=False)
    metrics: Inet | None = None
    docker: str = ""  # empty: DOCKER_HOST, or a usual socket
    docker_labels: bool = False
    wake_command: tuple[str, ...] = ()
    state: str = ""  # empty: changes end with the program
    etcd: tuple[tuple[str, int, bool], ...] = ()  # host, port, whether TLS is used
    etcd_ca: str = ""
    etcd_cert: str = ""
    etcd_key: str = ""
    etcd_user: str = ""
    etcd_password_file: str = ""
    fleet: str = ""  # empty: no routes come from etcd
    fleet_allow: Allowed | None = None
    announce: tuple[tuple[str, Endpoint], ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None
    ) -> Settings:
        """Read all settings. `flags` has texts by the name of the setting; a flag wins over a
        variable, and None counts as not given. An empty variable counts as not set.

        Raises ConfigError with all problems, unknown AMBASSADOR_ variables included.
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
        elif setting.name == "name" and text.startswith("/"):
            continue  # Docker sets it for a link called ambassador: /web/ambassador
        elif flags.get(setting.name) is not None:
            continue
        elif not text.strip() and setting.name != "allow":  # "not set" would let in all clients
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
    setting = SETTINGS[nearest(variable.upper(), known).removeprefix(PREFIX).lower() or "grace"]
    example = f"{setting.variable}={setting.example}"
    return Problem(where, what, shown(text), f"one of {', '.join(known)}", example)
