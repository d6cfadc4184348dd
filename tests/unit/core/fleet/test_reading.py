"""The fields of one value; test_records.py has what is wrong with them."""

import pytest

from ambassador.core.fleet.reading import Reader
from ambassador.errors import ConfigError


def test_all_that_is_wrong_is_told_at_once():
    read = Reader("/k", '{"schema":1,"a":1,"b":"x","c":[]}', "word")
    assert (read.text("a"), read.whole("b"), read.texts("c")) == ("", 0, ())
    with pytest.raises(ConfigError) as caught:
        read.done()
    assert len(caught.value.problems) == 2


def test_a_field_nobody_asks_for_is_wrong():
    read = Reader("/k", '{"schema":1,"a":"1","b":"x"}', "word")
    assert read.text("a") == "1"
    with pytest.raises(ConfigError, match='"b" is unknown'):
        read.done()
