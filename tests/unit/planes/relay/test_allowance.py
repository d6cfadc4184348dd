import os

import pytest

from ambassador.planes.relay import allowance as module
from ambassador.planes.relay.allowance import allowance

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def cgroups(monkeypatch, tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/system.slice/ambassador.service\n")
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    monkeypatch.setattr(module, "_OWN", own)
    (tmp_path / "system.slice" / "ambassador.service").mkdir(parents=True)
    return tmp_path


def test_without_a_limit_it_is_the_memory_of_the_machine(cgroups):
    assert allowance() == MACHINE
    (cgroups / "memory.max").write_text("max\n")
    assert allowance() == MACHINE


def test_a_container_sees_its_limit_at_the_root(cgroups):
    (cgroups / "memory.max").write_text("134217728\n")
    assert allowance() == 128 << 20


def test_a_unit_has_the_smallest_of_its_own_and_those_above(cgroups):
    (cgroups / "system.slice" / "memory.max").write_text("300000000\n")
    (cgroups / "system.slice" / "ambassador.service" / "memory.max").write_text("max\n")
    assert allowance() == 300_000_000


def test_the_file_of_former_cgroups_counts(cgroups):
    (cgroups / "memory").mkdir()
    (cgroups / "memory" / "memory.limit_in_bytes").write_text("200000000\n")
    assert allowance() == 200_000_000
