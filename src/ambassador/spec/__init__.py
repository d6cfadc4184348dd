"""The grammar of routes: text to model and back, with `parse(format(x)) == x`.

    assignment  ALIAS_PORT_<port>_<TCP|UDP>=endpoints      REDIS_PORT_6379_TCP=tcp://db1:6379
                ALIAS_PORT_<port>_<TCP|UDP>_<OPTION>=value  REDIS_PORT_6379_TCP_CONNECT=2s
    endpoints   endpoint[,endpoint...]
    endpoint    tcp://HOST:PORTS[?option[&option]]   HOST is a name, an IPv4 address or [IPV6]
                tls://HOST:PORTS[?option[&option]]
                udp://HOST:PORTS[?option[&option]]
                unix:///PATH[?option[&option]]       %XX in PATH stands for a byte
                docker://..., podman://..., srv://...   see container.py
                etcd://NAME                          alone; see service.py
                option: backup, weight=1..1000, proxy=v1, proxy=v2; with tls://
                verify=server, verify=none, tls=1.2, starttls=postgres (mysql, smtp)
    listen      PORTS, :PORTS, ADDRESS:PORTS, [IPV6]:PORTS, localhost:PORTS, unix:///PATH
    listening   [tls://]listen[?option[&option]]     option: proxy=required, proxy=from:networks
    PORTS       PORT or PORT-PORT, 1..65535, both ends included
    duration    500ms, 5s, 2m, 1h, a plain number of seconds, off where 0 makes sense
    health      off, a word of health.py (tcp, redis, ...), http:/PATH, http:PORT/PATH
    existing    keep, drain=duration, cut, cut=1..1000000/s; then cause=policy after commas
    size        4096, 64KiB, 1MiB

`options.OPTIONS` is the table of route options. Parsers raise only ConfigError, for any malformed
text; see docs/routes.md for the same grammar with explanations.
"""

from ambassador.spec.address import (
    format_address,
    is_ip,
    parse_host,
    parse_listen,
    parse_ports,
    unmapped,
)
from ambassador.spec.endpoint import (
    format_endpoint,
    format_endpoints,
    parse_endpoint,
    parse_endpoints,
)
from ambassador.spec.existing import format_existing, parse_existing
from ambassador.spec.listening import Listening, format_listening, parse_listening
from ambassador.spec.options import OPTIONS, Option, format_options, parse_option
from ambassador.spec.text import meant, nearest, printable, shown
from ambassador.spec.values import (
    format_duration,
    format_size,
    parse_duration,
    parse_interval,
    parse_keepalive,
    parse_pick,
    parse_size,
    parse_word,
)
from ambassador.spec.variable import (
    Variable,
    default_listen,
    format_assignments,
    format_name,
    parse_variable,
)

__all__ = [
    "OPTIONS",
    "Listening",
    "Option",
    "Variable",
    "default_listen",
    "format_address",
    "format_assignments",
    "format_duration",
    "format_endpoint",
    "format_endpoints",
    "format_existing",
    "format_listening",
    "format_name",
    "format_options",
    "format_size",
    "is_ip",
    "meant",
    "nearest",
    "parse_duration",
    "parse_endpoint",
    "parse_endpoints",
    "parse_existing",
    "parse_host",
    "parse_interval",
    "parse_keepalive",
    "parse_listen",
    "parse_listening",
    "parse_option",
    "parse_pick",
    "parse_ports",
    "parse_size",
    "parse_variable",
    "parse_word",
    "printable",
    "shown",
    "unmapped",
]
