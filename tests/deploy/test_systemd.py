"""The systemd unit: systemd itself reads it without complaint and finds it well confined."""

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ambassador.errors import ConfigError

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "ambassador.service"
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze: ./dev test as root"
)


class Repeated(dict[str, str]):
    """Keep every value of a key that systemd allows several times."""

    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def read() -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(dict_type=Repeated, strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(UNIT.read_text())
    return unit


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
    )


def installed(tmp_path: Path, old: str = "", new: str = "") -> str:
    """Return the path of the unit as it looks when the program is installed where it says."""
    program = tmp_path / "ambassador"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = UNIT.read_text().replace("/opt/ambassador/bin/ambassador", str(program))
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(old, new))
    sockets = UNIT.with_suffix(".socket")
    (tmp_path / sockets.name).write_text(sockets.read_text())
    return str(copy)


@needs_systemd
def test_systemd_finds_nothing_to_complain_about(tmp_path):
    done = analyze("verify", "--man=no", installed(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_nor_about_its_sockets(tmp_path):
    done = analyze("verify", "--man=no", installed(tmp_path).replace(".service", ".socket"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_hears_when_it_is_ready_and_whether_it_is_alive():
    service = read()["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) == 30
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


@needs_systemd
def test_a_wrong_line_would_be_found(tmp_path):
    done = analyze("verify", "--man=no", installed(tmp_path, "DynamicUser=yes", "DynamicUsr=yes"))
    assert "DynamicUsr" in done.stderr


# The scale is systemd's own: 0 is sealed, 10 is wide open; an unconfined unit scores 9.6.
@needs_systemd
@pytest.mark.parametrize(("old", "confined"), [("", True), ("RestrictNamespaces=yes\n", False)])
def test_systemd_calls_it_confined(tmp_path, old, confined):
    done = analyze("security", "--offline=true", "--threshold=20", installed(tmp_path, old))
    assert (done.returncode == 0) is confined, done.stdout


def test_a_wrong_configuration_is_not_tried_again():
    service = read()["Service"]
    assert service["Restart"] == "on-failure"
    assert int(service["RestartPreventExitStatus"]) == ConfigError.exit_code


def test_it_may_bind_low_ports_and_do_nothing_else_of_root():
    service = read()["Service"]
    for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert service[key] == "CAP_NET_BIND_SERVICE"
    for key in ("DynamicUser", "NoNewPrivileges", "MemoryDenyWriteExecute", "PrivateDevices"):
        assert service[key] == "yes"
    assert service["ProtectSystem"] == "strict"
