"""What is seen of connection tracking, or not."""

import pytest

from ambassador.planes.kernel.tracking import Fill, fill, takes_up


@pytest.mark.parametrize(("text", "found"), [("1\n", True), ("0\n", False), (None, True)])
def test_connections_are_taken_up_unless_it_is_said_that_they_are_not(tmp_path, text, found):
    if text is not None:
        (tmp_path / "nf_conntrack_tcp_loose").write_text(text)
    assert takes_up(tmp_path) is found


def test_the_table_is_as_full_as_it_is_shown(tmp_path):
    (tmp_path / "nf_conntrack_count").write_text("30\n")
    assert fill(tmp_path) is None
    (tmp_path / "nf_conntrack_max").write_text("40\n")
    assert fill(tmp_path) == Fill(30, 40)
    (tmp_path / "nf_conntrack_max").write_text("many\n")
    assert fill(tmp_path) is None
