import json

from ambassador.admin.views import RouteView, StatusView
from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.ports import RouteStatus

ROUTE = Route(
    "dns",
    Inet("", 53),
    (Endpoint(Inet("10.0.0.1", 53), Proto.UDP), Endpoint(Inet("b", 53), Proto.UDP, backup=True)),
    Proto.UDP,
    origin="environment variable DNS_PORT_53_UDP",
)
STATUS = RouteStatus(ROUTE, "relay", "", 7, 2, 1, 1000, 2000)


def test_a_route_is_seen_with_its_counters():
    assert RouteView.of(STATUS) == RouteView(
        name="dns",
        listen=":53/udp",
        endpoints=["10.0.0.1:53", "b:53 (backup)"],
        plane="relay",
        why="",
        open=2,
        opened=7,
        refused=1,
        to_upstream=1000,
        to_client=2000,
        origin="environment variable DNS_PORT_53_UDP",
    )


def test_the_whole_survives_json():
    view = StatusView.of("ready", "1.2.3", 1, 12.34567, [STATUS])
    assert view.uptime == 12.346
    assert StatusView.from_json(json.loads(json.dumps(view.as_json()))) == view
    nothing = StatusView.of("starting", "1.2.3", 1, 0, [])
    assert StatusView.from_json(json.loads(json.dumps(nothing.as_json()))) == nothing
