"""The options that say how endpoints are probed, and which member of a store is the primary."""

from __future__ import annotations

from ambassador.model import Failback, Promote, Proto
from ambassador.spec.follow import (
    format_follow,
    format_none,
    format_word,
    parse_failback,
    parse_follow,
    parse_none,
    parse_path,
    parse_promote,
    parse_tls,
    parse_user,
)
from ambassador.spec.health import OF_UDP, PROBES, format_health, parse_count, parse_health
from ambassador.spec.option import Option
from ambassador.spec.values import format_duration, parse_duration, parse_interval, parse_word

__all__ = ["STORES"]

_BOTH = (Proto.TCP, Proto.UDP)

STORES: tuple[Option, ...] = (
    Option(
        "health",
        parse_health,
        format_health,
        _BOTH,
        "off",
        "dns",
        f"how endpoints are probed: {', '.join(PROBES)}, http:/PATH, "
        "http:PORT/PATH, redis-replica, postgres-replica "
        f"(UDP: {', '.join(OF_UDP)}); an unhealthy endpoint gets no new sessions",
    ),
    Option(
        "interval",
        parse_interval,
        format_duration,
        _BOTH,
        "2s",
        "500ms",
        "the time between two probes of an endpoint",
    ),
    Option(
        "rise",
        parse_count,
        str,
        _BOTH,
        "2",
        "1",
        "how many good answers in a row make an unhealthy endpoint healthy",
    ),
    Option(
        "fall",
        parse_count,
        str,
        _BOTH,
        "3",
        "5",
        "how many bad answers in a row make an endpoint unhealthy",
    ),
    Option(
        "panic",
        lambda text, where: parse_word(text, ("yes", "no"), where) == "yes",
        lambda panic: "yes" if panic else "no",
        _BOTH,
        "no",
        "yes",
        "whether endpoints get sessions even while every probe fails",
    ),
    Option(
        "lag",
        parse_duration,
        format_duration,
        (Proto.TCP,),
        "10s",
        "30s",
        "how far a replica may be behind its primary: for health=redis-replica, postgres-replica",
    ),
    Option(
        "follow",
        parse_follow,
        format_follow,
        (Proto.TCP,),
        "off",
        "sentinel://s1:26379,s2,s3/mymaster",
        "the authority that says which member of a store is the primary: "
        "sentinel://HOST,HOST/NAME, patroni://HOST,HOST",
    ),
    Option(
        "none",
        parse_none,
        format_none,
        (Proto.TCP,),
        "hold",
        "hold=10s",
        "what new clients meet while there is no primary: hold (as long as connect), hold=10s, "
        "refuse",
    ),
    Option(
        "promote",
        parse_promote,
        str,
        (Proto.TCP,),
        Promote.CONFIRMED.value,
        "fast",
        "when a new primary gets clients: confirmed by the authority, or fast, once it was "
        "selected and says so itself",
    ),
    Option(
        "failback",
        parse_failback,
        str,
        (Proto.TCP,),
        Failback.MANUAL.value,
        "auto",
        "whether a member that was left gets clients again without an authority saying so: "
        "manual (never by itself), auto (while no other member claims to be the primary)",
    ),
    Option(
        "user",
        parse_user,
        format_word,
        (Proto.TCP,),
        "off",
        "probe",
        "the user that logs in to the members to probe them",
    ),
    Option(
        "password_file",
        parse_path,
        format_word,
        (Proto.TCP,),
        "off",
        "/run/secrets/redis",
        "the file with the password of this user",
    ),
    Option(
        "sentinel_user",
        parse_user,
        format_word,
        (Proto.TCP,),
        "off",
        "probe",
        "the user that logs in to the sentinels",
    ),
    Option(
        "sentinel_password_file",
        parse_path,
        format_word,
        (Proto.TCP,),
        "off",
        "/run/secrets/sentinel",
        "the file with the password of this user",
    ),
    Option(
        "health_tls",
        parse_tls,
        lambda tls: tls or "no",
        (Proto.TCP,),
        "no",
        "/run/secrets/ca.pem",
        "whether members and sentinels are asked over TLS: yes, or a file with the authorities "
        "to trust",
    ),
)
