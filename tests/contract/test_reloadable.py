"""What ports.Reloadable promises, of the token of the API and of what is gone from etcd."""

from __future__ import annotations

import asyncio

import pytest

from ambassador.admin.token import Token
from ambassador.app.fleet import _Emptied
from ambassador.errors import ConfigError, Problem


class Case:
    """A token whose place says `value`; an empty one makes no sense."""

    def __init__(self) -> None:
        self.value = "first"
        self.it = Token(self._read)

    def _read(self) -> str:
        if not self.value:
            raise ConfigError(Problem("token", "is empty"))
        return self.value

    @property
    def in_force(self) -> str:
        return self.it()


@pytest.fixture(params=[Case])
def case(request):
    made = request.param()
    made.it.read()
    made.it.take_over()
    return made


def test_it_has_a_word_for_logs(case):
    assert case.it.name


def test_what_is_read_counts_only_once_it_is_taken_over(case):
    case.value = "second"
    case.it.read()
    assert case.in_force == "first"
    case.it.take_over()
    assert case.in_force == "second"


def test_what_makes_no_sense_changes_nothing(case):
    case.value = ""
    with pytest.raises(ConfigError):
        case.it.read()
    assert case.in_force == "first"
    case.it.take_over()
    assert case.in_force == "first"


def test_a_reload_confirms_what_is_gone_from_etcd_and_only_when_it_is_taken_over():
    async def body():
        confirmed = []

        class Watched:
            held = True

            async def confirm(self):
                confirmed.append(1)

        it = _Emptied(Watched())
        assert it.name
        it.read()
        await asyncio.sleep(0)
        assert confirmed == []
        it.take_over()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert confirmed == [1]

    asyncio.run(body())
