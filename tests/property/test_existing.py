"""Whatever the policy: it is read as it was written, and sessions end no sooner than it says."""

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.departure import due, grace
from ambassador.errors import ConfigError
from ambassador.model import Existing, Fate
from ambassador.spec import format_existing, parse_existing

DRAINS = st.floats(0.001, 31_536_000).map(lambda s: Existing(Fate.DRAIN, seconds=s))
RATES = st.integers(1, 1_000_000).map(lambda rate: Existing(Fate.CUT, rate=rate))
POLICIES = st.just(Existing()) | st.just(Existing(Fate.CUT)) | DRAINS | RATES
COUNTS = st.integers(0, 100_000)
TIMES = st.floats(0, 1e8)


@given(POLICIES)
def test_what_is_written_is_read_as_it_was(existing):
    assert parse_existing(format_existing(existing)) == existing


@given(st.text(max_size=20) | st.from_regex(r"(keep|drain|cut)=?\d*(/s|s|ms)?", fullmatch=True))
def test_any_text_is_a_policy_or_an_error_of_ours(text):
    try:
        existing = parse_existing(text)
    except ConfigError:
        return
    assert parse_existing(format_existing(existing)) == existing


@given(POLICIES, COUNTS, TIMES, TIMES)
def test_endings_are_never_taken_back_and_never_more_than_there_are(existing, count, one, other):
    first, second = sorted((one, other))
    assert 0 <= due(existing, count, first) <= due(existing, count, second) <= count


@given(DRAINS, st.integers(1, 100_000))
def test_a_drain_is_over_in_its_time_and_ends_nobody_before_its_last_part(existing, count):
    begin = grace(existing)
    assert begin is not None
    assert existing.seconds * 0.75 < begin < existing.seconds
    assert due(existing, count, existing.seconds - begin + 1e-6) == count


@given(RATES, COUNTS, st.floats(0, 1e6))
def test_a_rate_is_kept(existing, count, elapsed):
    assert due(existing, count, elapsed) <= elapsed * existing.rate + 1
