import errno
import os
import socket
import stat

import pytest

from ambassador.sockets.unix import (
    is_replaced,
    listen,
    peer,
    remove,
    take_place,
)

KINDS = [socket.SOCK_STREAM, socket.SOCK_SEQPACKET]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "socket"


def reaches(path, sock):
    with socket.socket(socket.AF_UNIX, sock.type) as client:
        client.connect(str(path))
        accepted, _ = sock.accept()
        accepted.close()
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_it_listens_and_its_file_goes_with_it(path, kind):
    with listen(path, 1, kind) as sock:
        assert reaches(path, sock)
        assert not sock.getblocking()
        remove(sock)
        assert not path.exists()
        remove(sock)


def test_a_private_socket_is_for_its_user_alone_and_the_mask_is_as_before(path):
    before = os.umask(0o022)
    try:
        with listen(path, 1, private=True):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.parametrize("replace", [False, True])
def test_a_dead_socket_is_replaced(path, replace):
    with listen(path, 1):
        pass
    with listen(path, 1, replace=replace) as sock:
        assert reaches(path, sock)


@pytest.mark.parametrize("kind", KINDS)
def test_a_living_socket_is_refused(path, kind):
    with listen(path, 1, kind) as sock:
        with pytest.raises(OSError, match="another process listens there") as raised:
            listen(path, 1)
        assert raised.value.errno == errno.EADDRINUSE
        remove(sock)
        assert not path.exists()  # it is still ours


def test_a_living_socket_is_replaced_in_one_step_and_the_first_leaves_the_second_alone(path):
    with listen(path, 1) as first, listen(path, 1, replace=True) as second:
        remove(first)
        assert reaches(path, second)
        assert [one.name for one in path.parent.iterdir()] == ["socket"]
        remove(second)
        assert not path.exists()


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("make", ["file", "link", "folder"])
def test_what_is_no_socket_is_left_as_it_is(path, make, replace):
    if make == "file":
        path.write_text("precious")
    elif make == "link":
        path.symlink_to("elsewhere")
    else:
        path.mkdir()
    before = path.lstat()
    with pytest.raises(FileExistsError, match="a file that is not a socket stands there"):
        listen(path, 1, replace=replace)
    assert path.lstat() == before
    assert [one.name for one in path.parent.iterdir()] == ["socket"]


def test_nothing_is_left_where_the_place_cannot_be_had(tmp_path):
    with pytest.raises(FileNotFoundError):
        listen(tmp_path / "none" / "socket", 1, replace=True)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_socket_removes_nothing(path):
    with listen(path, 1) as sock:
        pass
    path.unlink()
    path.write_text("of another")
    remove(sock)
    assert path.exists()


def test_the_peer_is_known():
    one, other = socket.socketpair()
    with one, other:
        assert peer(one) == (os.getpid(), os.geteuid())


def test_a_place_may_be_taken_later(tmp_path):
    path = tmp_path / "s.sock"
    with listen(path, 1) as old, listen(path, 1, replace=True, later=True) as new:
        assert not is_replaced(old)
        take_place(new)
        assert is_replaced(old)
        assert not is_replaced(new)
        remove(old)  # not its own any longer
        assert path.is_socket()
        remove(new)
        assert not path.exists()


def test_one_that_gives_up_before_has_taken_nothing_away(tmp_path):
    path = tmp_path / "s.sock"
    with listen(path, 1) as old, listen(path, 1, replace=True, later=True) as new:
        remove(new)
        assert not is_replaced(old)
    assert list(tmp_path.iterdir()) == [path]
