"""Names of link variables: <ALIAS>_PORT_<port>_<TCP|UDP>[_<COMPANION>].

An alias may have any characters but blanks; the last `_PORT_<port>_` of a name counts, as in the
first ambassador's `.*_PORT_([0-9]*)_TCP`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ambassador.model import Endpoint, Inet, Route
from ambassador.spec.address import format_address, length
from ambassador.spec.endpoint import format_endpoints
from ambassador.spec.options import format_options
from ambassador.spec.service import SCHEME

__all__ = [
    "DOCKER",
    "NO_ROUTES",
    "Variable",
    "default_listen",
    "format_assignments",
    "format_name",
    "is_foreign",
    "is_injected_setting",
    "is_link",
    "parse_variable",
]

# Companions that Docker sets beside a link variable (moby, daemon/links/links.go): START and END
# matter for ranges, the others repeat the link variable.
DOCKER = ("ADDR", "PORT", "PROTO", "START", "END", "PORT_START", "PORT_END")
NO_ROUTES = ("AMBASSADOR_", "KUBERNETES_")  # names that begin so are for other purposes
_NAME = re.compile(
    r"(?P<alias>.*)_PORT_(?P<port>[0-9]+)_(?P<proto>TCP|UDP|SCTP)(?:_(?P<companion>.+))?", re.DOTALL
)
_INJECTED_SETTING = re.compile(
    r"AMBASSADOR(_.+)?_(PORT_[0-9]+_(TCP|UDP|SCTP)(_.+)?|SERVICE_HOST|SERVICE_PORT(_.+)?)"
)


class Variable(NamedTuple):
    """The parts of a name. `alias` and `port` are as written; `companion` may be empty."""

    alias: str
    port: str
    proto: str
    companion: str = ""

    @property
    def main(self) -> str:
        """The name of the link variable to which this variable belongs."""
        return f"{self.alias}_PORT_{self.port}_{self.proto}"

    @property
    def name(self) -> str:
        """The whole name, as `parse_variable` has read it."""
        return f"{self.main}_{self.companion}" if self.companion else self.main


def parse_variable(name: str) -> Variable | None:
    """Return the parts of `name`; None if it is neither a link variable nor a companion of one.

    A name with control characters is none: it is surely not meant, and it would get into logs.
    """
    match = _NAME.fullmatch(name)
    if match is None or not name.isprintable():
        return None
    return Variable(match["alias"], match["port"], match["proto"], match["companion"] or "")


def is_link(alias: str, environ: Mapping[str, str]) -> bool:
    """Return whether a container is linked as `alias`: the engine then sets its name or ports."""
    if f"{alias}_NAME" in environ or f"{alias}_PORT" in environ:
        return True
    variables = (parse_variable(name) for name in environ if name.startswith(f"{alias}_PORT_"))
    return any(variable is not None and variable.alias == alias for variable in variables)


def is_foreign(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether `name` only looks like a link variable of ours.

    Such names are Kubernetes' own, those from the environment of a linked container
    (<LINK>_ENV_...), and those of a named port of a Kubernetes service: the port "6379-tcp" gives
    REDIS_SERVICE_PORT_6379_TCP=6379.
    """
    if name.startswith("KUBERNETES_"):
        return True
    position = name.find("_ENV_", 1)
    while position > 0:
        if is_link(name[:position], environ):
            return True
        position = name.find("_ENV_", position + 1)
    before, service, _ = name.rpartition("_SERVICE_PORT_")
    return bool(service) and f"{before}_SERVICE_HOST" in environ and environ[name].isdigit()


def is_injected_setting(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether Docker or Kubernetes set `name`, which begins with AMBASSADOR_, for a link
    or a service whose own name begins with "ambassador".
    """
    if _INJECTED_SETTING.fullmatch(name):
        return True
    if name.endswith("_PORT"):
        return "://" in environ[name]
    if name.endswith("_NAME") and environ[name].startswith("/"):  # Docker: /web/ambassador
        return True
    position = name.find("_ENV_")
    return position > 0 and is_link(name[:position], environ)


def default_listen(port: int, endpoints: Sequence[Endpoint]) -> Inet:
    """Return the listen address that follows from a variable's name: its port, or, if the endpoint
    is a range, as many ports from there on.
    """
    count = length(endpoints[0].address) if endpoints else 1
    return Inet("", port, port + count - 1 if count > 1 else 0)


def format_name(route: Route) -> str:
    """Return the name of the link variable that makes `route`."""
    return f"{(route.alias or route.name).upper()}_PORT_{_port_of(route)}_{route.proto.upper()}"


def format_option(route: Route, key: str, text: str) -> str:
    """Return the option `key` as it is written in the source of `route`; empty if it cannot be
    written there.
    """
    if route.port:
        return f"{format_name(route)}_{key.upper()}={text}"
    return f'{key} = "{text}"' if ", line " in route.origin else ""


def _port_of(route: Route) -> int:
    return route.port or (route.listen.port if isinstance(route.listen, Inet) else 0)


def format_assignments(route: Route) -> tuple[str, ...]:
    """Return the assignments that make `route`, as the arguments of `ambassador run`."""
    name = format_name(route)
    options = format_options(route)
    if options["listen"] == format_address(default_listen(_port_of(route), route.endpoints)):
        del options["listen"]
    pairs = {name: format_endpoints(route.endpoints)} if route.endpoints else {}
    if route.service:
        pairs = {name: f"{SCHEME}{route.service}"}
    pairs |= {f"{name}_{key.upper()}": value for key, value in options.items()}
    return tuple(f"{key}={value}" for key, value in pairs.items())
