import pytest

from ambassador.core.identity import Names, is_at, may_come_in, names_of


def test_names_are_those_of_the_certificate_and_its_common_name_only_without_others():
    found = names_of(
        [("DNS", "Big-Server"), ("IP Address", "2001:DB8:0:0:0:0:0:1"), ("URI", "spiffe://x/a")],
        "common",
    )
    assert found.all == ("spiffe://x/a", "big-server", "2001:db8::1")
    assert str(found) == "spiffe://x/a"
    assert names_of([("IP Address", "<invalid>"), ("othername", "x")], "common").all == ("common",)
    assert str(Names()) == "nobody"


@pytest.mark.parametrize(
    ("names", "peers", "may"),
    [
        (["a"], [], True),
        ([], [], True),
        ([], ["a"], False),
        (["Client-Server"], ["client-server"], True),
        (["client-server"], ["client"], False),
        (["spiffe://x/ns/a"], ["spiffe://x/*"], True),
        (["spiffe://xy/ns/a"], ["spiffe://x/*"], False),
        (["a.example.org"], ["*.example.org"], True),
        (["a1example.org"], ["a.example.org"], False),
        (["b", "a"], ["c", "a"], True),
        (["a\nb"], ["a*"], True),
    ],
)
def test_who_is_among_the_peers(names, peers, may):
    assert may_come_in(names, peers) is may


@pytest.mark.parametrize(
    ("host", "names", "peer", "is_there"),
    [
        ("10.0.0.1", Names(addresses=("10.0.0.1",)), "", True),
        ("10.0.0.2", Names(addresses=("10.0.0.1",)), "big", False),
        ("10.0.0.2", Names(hosts=("big",), addresses=("10.0.0.1",)), "big", False),
        ("10.0.0.1", Names(hosts=("big",)), "Big", True),
        ("10.0.0.1", Names(hosts=("other",)), "big", False),
        ("10.0.0.1", Names(hosts=("big",)), "", False),
        ("fe80:0::1%eth0", Names(addresses=("fe80::1",)), "", True),
    ],
)
def test_who_may_be_at_an_address(host, names, peer, is_there):
    assert is_at(host, names, peer) is is_there
