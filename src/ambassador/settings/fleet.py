"""The settings of a fleet, a part of the table."""

from __future__ import annotations

from ambassador.settings import values
from ambassador.settings.setting import Setting

__all__ = ["FLEET"]

FLEET = (
    Setting(
        "etcd",
        values.etcd,
        "URL,...",
        "",
        "https://etcd1:2379,https://etcd2:2379",
        "the members of the etcd of a fleet (docs/fleet.md)",
    ),
    Setting(
        "etcd_ca",
        values.path,
        "PATH",
        "",
        "/etc/etcd/ca.pem",
        "a file with the authorities for certificates of etcd; without it those of this host",
    ),
    Setting(
        "etcd_cert",
        values.path,
        "PATH",
        "",
        "/etc/etcd/client.pem",
        "the certificate that the ambassador shows to etcd",
    ),
    Setting(
        "etcd_key",
        values.path,
        "PATH",
        "",
        "/etc/etcd/client.key",
        "the key of this certificate, if its file does not have the key, too",
    ),
    Setting(
        "etcd_user",
        values.user,
        "NAME|@PATH",
        "",
        "ambassador",
        "the name of the user that logs in to etcd, or @ and the file with it",
    ),
    Setting(
        "etcd_password_file",
        values.path,
        "PATH",
        "",
        "/run/secrets/etcd",
        "the file with the password of this user; read again with each log-in",
    ),
    Setting(
        "fleet",
        values.prefix,
        "PREFIX",
        "",
        "/ambassador",
        "take whole routes from etcd, those under this prefix; without it only the endpoints of "
        "etcd://NAME are taken, from the prefix /ambassador",
    ),
    Setting(
        "fleet_allow",
        values.fleet_allow,
        "NAME|NETWORK,...",
        "",
        "redis,db,10.0.0.0/8",
        "the names of routes and services that may be taken from etcd, and the networks their "
        "endpoints may be in; without it any: a user who may write to etcd can move traffic",
    ),
    Setting(
        "announce",
        values.announced,
        "NAME=URL,...",
        "",
        "redis=tcp://10.0.0.5:6379",
        "put these endpoints into etcd while the route NAME here has an endpoint that works",
    ),
)
