"""A session that cannot be carried for a reason of ours is reset, and nothing of it is left."""

import asyncio
import errno
import os
import socket

import pytest

from ambassador.core.plan import AddRoute
from ambassador.planes.relay.dial import Dial
from ambassador.planes.relay.plane import RelayPlane
from ambassador.planes.relay.side import Side
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.running import route


@pytest.mark.parametrize("kind", [Side, Dial], ids=["client", "upstream"])
def test_where_no_more_sockets_can_be_watched(kind, monkeypatch):
    """epoll_ctl(2): ENOSPC, more than /proc/sys/fs/epoll/max_user_watches."""

    async def trial(listening):
        loop, failures = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
        plane = RelayPlane(StaticResolver(), buffer=65536, backlog=16)
        port = free_port()
        await plane.apply([AddRoute(route(port, listening.getsockname()[1], connect=0.3))])
        around, (relay_route,) = plane._around, plane._routes.values()
        free, watched = around.descriptors._free, len(around.poller)
        real = around.poller.add

        def add(fd, who, *events, **how):
            if isinstance(who, kind):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(fd, who, *events, **how)

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
        assert [error.errno for error in failures] == [errno.ENOSPC] * (kind is Side)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        asyncio.run(asyncio.wait_for(trial(listening), 10))
