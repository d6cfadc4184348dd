"""What ports.Admission promises, of each implementation."""

import pytest

from ambassador.core.admission import admits
from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Route, Unix
from ambassador.sources.networks import NetworkLists


@pytest.fixture(params=[NetworkLists])
def admission(request):
    return request.param()


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "allow"
    path.write_text("10.0.0.0/8\n")
    return path


def route(*allow, listen=Inet("", 6379)):  # noqa: B008 (a frozen value)
    return Route("redis", listen, (Endpoint(Inet("a", 1)),), allow=allow)


def test_a_route_has_what_its_networks_and_files_come_to(admission, listed):
    who = admission(route("192.0.2.1", f"@{listed}")).admitted
    assert admits(who, "10.0.0.1")
    assert admits(who, "192.0.2.1")
    assert not admits(who, "192.0.2.2")
    assert admission(route()).admitted is None


def test_the_files_of_routes_are_known(admission, listed):
    assert admission.files(route(f"@{listed}")) == {str(listed)}
    assert not admission.files(route("10.0.0.1"))


def test_a_file_is_read_again_when_that_is_asked_for(admission, listed):
    named = route(f"@{listed}")
    admission(named)
    listed.write_text("fd00::/8\n")
    assert admits(admission(named).admitted, "10.0.0.1")
    admission.renew(str(listed), [named])
    assert admits(admission(named).admitted, "fd00::1")


def test_what_makes_no_sense_is_refused_and_what_was_read_before_stands(admission, listed):
    named = route(f"@{listed}")
    before = admission(named).admitted
    listed.write_text("nobody\n")
    with pytest.raises(ConfigError):
        admission.renew(str(listed), [named])
    assert admission(named).admitted == before
    with pytest.raises(ConfigError):
        admission(route("@/nowhere"))
    with pytest.raises(ConfigError):
        admission(route("10.0.0.1", listen=Unix("/run/s")))
