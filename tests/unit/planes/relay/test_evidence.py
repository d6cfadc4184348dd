from ambassador.model import Endpoint, Inet, Unix
from ambassador.planes.relay.evidence import Candidate


def test_a_candidate_is_named_as_it_is_connected_to():
    ranged = Endpoint(Inet("db", 7000, 7003))
    assert str(Candidate(ranged, "10.0.0.7", 7002)) == "10.0.0.7:7002"
    assert str(Candidate(ranged, "fd00::7", 7002)) == "[fd00::7]:7002"
    assert str(Candidate(Endpoint(Unix("/run/db")), "/run/db", 0)) == "unix:///run/db"


def test_its_place_is_that_of_its_endpoint_whatever_the_port_of_the_range():
    assert Candidate(Endpoint(Inet("db", 7000, 7003)), "10.0.0.7", 7002).place == ("10.0.0.7", 7000)
    assert Candidate(Endpoint(Unix("/run/db")), "/run/db", 0).place == ("/run/db", 0)
