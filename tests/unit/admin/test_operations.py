from ambassador.admin.operations import OPERATIONS, described, operation_of
from ambassador.core.commands import VERBS, Move, Status


def test_each_verb_has_one_operation():
    assert [row.verb for row in OPERATIONS] == list(VERBS)
    assert len({row.path for row in OPERATIONS}) == len(OPERATIONS)
    for row in OPERATIONS:
        assert row.method == ("POST" if row.command.changes else "GET")
        assert row.path == f"/v1/{row.verb}"


def test_what_can_be_asked_says_so_in_a_sentence():
    assert operation_of(Status()).summary == "Show the state of one route, or of all"
    for row in OPERATIONS:
        assert row.summary
        assert "\n" not in row.summary


def test_a_description_has_a_paragraph_a_line():
    first, second, _ = described(Move).splitlines()
    assert first == "Point a route at other endpoints (URLs); no client gets an error."
    assert second.startswith("With `verify` each new endpoint must answer before anything changes")
