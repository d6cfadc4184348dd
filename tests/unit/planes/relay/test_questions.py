"""Questions to a worker process: each answer is of the oldest, whatever else is asked meanwhile."""

import asyncio

import pytest

from ambassador.planes.relay.questions import Questions


def test_each_answer_is_of_the_oldest_question():
    questions, heard = Questions(), []
    questions.add(1.0, lambda: heard.append("first"))
    questions.add(2.0, lambda: heard.append("numbers"), numbers=True)
    questions.add(3.0, lambda: heard.append("last"))
    questions.answered()
    assert (heard, questions.owe_numbers) == (["first"], True)
    questions.answered()
    assert (heard, questions.owe_numbers) == (["first", "numbers"], False)
    questions.answered()
    assert heard == ["first", "numbers", "last"]


def test_how_long_it_has_not_answered_is_that_of_the_oldest():
    questions = Questions()
    assert questions.wait(9.0) == 0.0
    questions.add(1.0, lambda: None, numbers=True)
    questions.add(5.0, lambda: None)
    assert questions.wait(9.0) == 8.0
    questions.answered()
    assert questions.wait(9.0) == 4.0


def test_an_answer_that_nobody_asked_for_is_nothing():
    questions = Questions()
    questions.answered()
    assert questions.wait(1.0) == 0.0


@pytest.mark.asyncio
async def test_who_waits_for_a_process_that_ends_goes_on_and_it_is_given_nothing():
    questions, heard = Questions(), []
    told = asyncio.get_running_loop().create_future()
    questions.add(1.0, told, numbers=True)
    questions.add(1.0, lambda: heard.append("given"))
    questions.gone()
    await asyncio.wait_for(told, 1)
    assert (heard, questions.owe_numbers, questions.wait(9.0)) == ([], False, 0.0)


@pytest.mark.asyncio
async def test_an_answer_to_a_call_that_was_cancelled_is_passed_over():
    questions = Questions()
    told = asyncio.get_running_loop().create_future()
    questions.add(1.0, told)
    told.cancel()
    questions.answered()
    assert questions.wait(2.0) == 0.0
