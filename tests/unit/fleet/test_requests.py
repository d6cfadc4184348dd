"""Requests and answers as JSON has them."""

from ambassador.core.fleet.picture import Value
from ambassador.fleet.requests import absent, batch, delete, found, put, reading, since, watching


def test_keys_and_values_are_base64_and_numbers_are_texts():
    assert put("a", "x", 7) == {"request_put": {"key": "YQ==", "value": "eA==", "lease": "7"}}
    assert "lease" not in put("a", "x")["request_put"]
    assert delete("a", "b") == {"request_delete_range": {"key": "YQ==", "range_end": "Yg=="}}
    assert since("a", 5)["mod_revision"] == "5"
    assert absent("a")["mod_revision"] == "0"
    assert reading("a", "b", 3)["limit"] == "3"
    assert reading("a") == {"key": "YQ=="}
    assert watching("a", "b", 4)["create_request"]["start_revision"] == "4"


def test_an_answer_has_what_stands_there_and_the_revision():
    header = {"revision": "9", "cluster_id": "c"}
    kv = {"key": "YQ==", "value": "eA==", "mod_revision": "5", "lease": "7"}
    assert found({"header": header, "kvs": [kv]}).values == {"a": Value("x", 5, 7)}
    assert found({"header": header}).revision == 9


def test_a_message_of_a_watch_has_what_has_changed_or_gone():
    kv = {"key": "YQ==", "mod_revision": "5"}
    events = [{"kv": kv}, {"type": "DELETE", "kv": {"key": "Yg=="}}]
    got = batch({"header": {"revision": "9", "cluster_id": "c"}, "events": events})
    assert got.changes == {"a": Value("", 5), "b": None}
    assert (got.revision, got.store) == (9, "c")
