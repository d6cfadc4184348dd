"""Settings of the kernel."""

import pytest

from ambassador.sockets.sysctl import sysctl


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20000\t50000\n", [20000, 50000]),
        ("", [32768, 60999]),
        ("1", [32768, 60999]),
        ("rubbish", [32768, 60999]),
        (None, [32768, 60999]),
    ],
)
def test_what_cannot_be_read_is_the_default_of_the_kernel(tmp_path, text, value):
    folder = tmp_path / "net" / "ipv4"
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "ip_local_port_range").write_text(text)
    assert list(sysctl("net.ipv4.ip_local_port_range", tmp_path)) == value
