import json

import pytest

from bench.errors import BenchError
from bench.samples import load_run, save_run
from tests.bench.runs import rates, run, sample


def test_a_run_comes_back_as_it_was(tmp_path):
    path = tmp_path / "deep" / "run.json"
    made = run(*rates(relay=(40, 50)), sample("nginx", 1, "no nginx"), remarks=["one core"])
    save_run(made, path)
    assert load_run(path.read_text(), "run.json") == made
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]


def test_one_line_a_sample_so_that_a_change_can_be_read(tmp_path):
    save_run(run(*rates(relay=(40, 50))), tmp_path / "run.json")
    lines = (tmp_path / "run.json").read_text().splitlines()
    assert sum('"peer": "relay"' in line for line in lines) == 2


def test_no_more_digits_than_mean_anything(tmp_path):
    save_run(run(sample("relay", 1, rate=41234.56789)), tmp_path / "run.json")
    (kept,) = json.loads((tmp_path / "run.json").read_text())["samples"]
    assert kept["values"] == {"rate": 41234.6}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 0}', "12"])
def test_what_is_no_run_says_where_it_stands(text):
    with pytest.raises(BenchError, match=r"^old\.json: "):
        load_run(text, "old.json")
