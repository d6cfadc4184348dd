"""What errors say, in several lines and in one."""

from ambassador.errors import ConfigError, Problem, RunError, in_a_line, in_words


def test_several_findings_are_one_line_of_the_log():
    first = Problem("X", "is wrong", "1", "2", "X=2")
    error = ConfigError(first, Problem("Y", "is odd"), notes=("Z is empty",))
    assert in_a_line(error) == (
        "X: is wrong (read 1; expected 2; example X=2); Y: is odd; note: Z is empty"
    )
    assert in_a_line(RunError("a\n  b")) == "a; b"


def test_what_is_none_of_ours_has_its_type():
    assert in_words(RunError("away")) == "away"
    assert in_words(ValueError("odd")) == "ValueError: odd"
    assert in_words(ValueError()) == "ValueError"
