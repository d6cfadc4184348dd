import socket

from tests.ports import free_port


def test_tcp_wants_a_connection(verdict, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert verdict("tcp", listener.getsockname()[1]) == ""
    assert verdict("", free_port()) == "connection refused"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert verdict("tcp", (socket.AF_UNIX, str(tmp_path / "s"))) == ""
