"""What is missing, and what gives it: by the capability sets of a process."""

import pytest

from ambassador.planes.kernel import privilege
from ambassador.planes.kernel.privilege import NET_ADMIN, NET_RAW, acquire, find, look

ALL = 1 << NET_ADMIN | 1 << NET_RAW


@pytest.fixture
def process(monkeypatch):
    """Let this be a process of user `user` with these sets."""

    def be(user, **sets):
        empty = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"), 0)
        monkeypatch.setattr(privilege.os, "geteuid", lambda: user)
        monkeypatch.setattr(privilege, "_sets", lambda: {**empty, **sets})

    return be


def test_root_needs_it_effective_only(process):
    process(0, CapEff=ALL, CapPrm=ALL, CapBnd=ALL)
    assert (look().missing, look().no_cut) == ("", "")


def test_another_user_needs_it_ambient_or_nft_would_not_have_it(process):
    process(65532, CapEff=ALL, CapPrm=ALL, CapBnd=ALL, CapAmb=ALL)
    assert look().missing == ""
    process(65532, CapEff=ALL, CapPrm=ALL, CapBnd=ALL)
    assert "user 65532 has no CAP_NET_ADMIN" in look().missing


@pytest.mark.parametrize("user", [0, 65532])
def test_what_is_not_even_in_the_bounding_set_has_to_be_added(process, user):
    process(user, CapBnd=1 << NET_RAW)
    assert look().missing == "CAP_NET_ADMIN is missing (docker run --cap-add NET_ADMIN)"


def test_no_new_privileges_is_named_where_it_is_the_reason(process):
    process(65532, CapBnd=ALL, NoNewPrivs=1)
    assert look().missing.startswith("under no-new-privileges user 65532 cannot have CAP_NET_ADMIN")


def test_each_capability_is_asked_for_on_its_own(process):
    process(0, CapEff=1 << NET_ADMIN, CapPrm=1 << NET_ADMIN, CapBnd=1 << NET_ADMIN)
    assert look().missing == ""
    assert look().no_cut == "CAP_NET_RAW is missing (docker run --cap-add NET_RAW)"


def test_without_nft_there_is_a_package_to_install(process, monkeypatch):
    process(0, CapEff=ALL, CapPrm=ALL, CapBnd=ALL)
    monkeypatch.setattr(privilege, "find", lambda *_: "")
    assert look().missing == "the program nft is missing (apt-get install nftables)"


def test_nft_is_found_where_an_ordinary_user_has_no_path_to(process, monkeypatch, tmp_path):
    process(0, CapEff=ALL, CapPrm=ALL, CapBnd=ALL)
    (tmp_path / "nft").touch(0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(privilege, "_SBIN", str(tmp_path))
    assert look().nft == str(tmp_path / "nft")


def test_a_process_without_permitted_capabilities_takes_none(process, monkeypatch):
    def never(*_):
        raise AssertionError("nothing to raise")

    process(65532, CapBnd=ALL)
    monkeypatch.setattr("ctypes.CDLL", never)
    acquire()


def test_a_program_is_found_in_the_first_folder_where_it_can_be_run(tmp_path):
    for name, mode in (("a", 0o644), ("b", 0o755), ("c", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nft").write_text("")
        (tmp_path / name / "nft").chmod(mode)
    (tmp_path / "d" / "nft").mkdir(parents=True)
    folders = ":".join(f"{tmp_path}/{name}" for name in ("none", "d", "a", "b", "c"))
    assert find("nft", folders) == f"{tmp_path}/b/nft"
    assert find("nft", f":{tmp_path}/a:{tmp_path}/d") == ""
