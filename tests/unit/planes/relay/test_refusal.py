import errno
import os

import pytest

from ambassador.model import Endpoint, Inet, Unix
from ambassador.planes.relay.refusal import doubt, is_ours, spoken
from ambassador.planes.relay.source_ports import NoSourcePortError
from tests.names import StaticResolver


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC])
def test_what_this_host_lacks_says_nothing_of_an_endpoint(number):
    assert is_ours(OSError(number, os.strerror(number)))


def test_neither_does_a_source_port_that_is_not_free():
    assert is_ours(NoSourcePortError(errno.EADDRNOTAVAIL, "no source port is free"))
    assert not is_ours(OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))
    assert not is_ours(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))


def test_a_reason_is_in_the_words_of_the_system_or_in_ours():
    assert spoken(OSError(errno.ECONNREFUSED, "")) == "connection refused"
    assert spoken(OSError(errno.ELOOP, "this is the ambassador itself")) == (
        "this is the ambassador itself"
    )
    assert spoken(OSError("Odd")) == "odd"


def test_only_a_name_is_asked_for_again():
    resolver = StaticResolver()
    doubt(Endpoint(Inet("db", 1)), resolver)
    doubt(Endpoint(Unix("/run/db")), resolver)
    assert resolver.doubted == ["db"]
