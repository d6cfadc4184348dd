"""A session that cannot be carried for a reason of ours is reset, and nothing of it is left."""

import asyncio
import errno
import os
import socket

import pytest

from ambassador.core.plan import AddRoute
from ambassador.planes.relay.pair import Side
from ambassador.planes.relay.plane import RelayPlane
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.running import route


@pytest.mark.parametrize("at", [1, 2], ids=["client", "upstream"])
def test_where_no_more_sockets_can_be_watched(at, monkeypatch):
    """epoll_ctl(2): ENOSPC, more than /proc/sys/fs/epoll/max_user_watches."""

    async def trial(listening):
        loop, failures = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
        plane = RelayPlane(StaticResolver(), buffer=65536, backlog=16)
        port = free_port()
        await plane.apply([AddRoute(route(port, listening.getsockname()[1]))])
        around, (relay_route,) = plane._around, plane._routes.values()
        free, watched = around.descriptors._free, len(around.poller)
        # Without what is sure there is a search, which ends with a socket to be watched.
        monkeypatch.setattr(relay_route.live.__class__, "sure", lambda *_: None)
        real, sides = around.poller.add, []

        def add(fd, who, *events):
            sides.extend([who] if isinstance(who, Side) else [])
            if len(sides) == at:
                sides.append(who)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(fd, who, *events)

        monkeypatch.setattr(around.poller, "add", add)
        client = socket.socket()
        client.setblocking(False)
        with pytest.raises(ConnectionResetError):  # by the one or the other
            await loop.sock_connect(client, ("127.0.0.1", port))
            await loop.sock_recv(client, 1)
        client.close()
        counters = relay_route.live.counters
        assert (counters.open, counters.closed.total()) == (0, 1)
        assert around.descriptors._free == free
        assert len(around.poller) == watched
        plane.close()
        assert [error.errno for error in failures] == [errno.ENOSPC][: 2 - at]

    with socket.create_server(("127.0.0.1", 0)) as listening:
        asyncio.run(asyncio.wait_for(trial(listening), 10))
