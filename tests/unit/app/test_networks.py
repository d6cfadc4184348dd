"""Files of networks, watched as long as a route names them."""

import asyncio
from dataclasses import replace

from ambassador.app.networks import NetworkFiles
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.model import Endpoint, Inet, Route
from ambassador.sources.networks import NetworkLists


def test_a_change_is_told_within_a_second_while_a_route_names_the_file(tmp_path):
    path = tmp_path / "allow"
    path.write_text("10.0.0.0/8\n")
    route = Route("r", Inet("", 1), (Endpoint(Inet("a", 1)),), allow=(f"@{path}",))
    other = replace(route, listen=Inet("", 2))

    class Told:
        paths = asyncio.Queue()

        async def renew_networks(self, changed):
            self.paths.put_nowait(changed)

    async def body():
        files = NetworkFiles(NetworkLists(), Told())
        files.note([AddRoute(route), AddRoute(other)])
        files.watch()
        files.note([ChangeRoute(route, route), RemoveRoute(other)])
        files.watch()
        path.write_text("fd00::/8\n")
        async with asyncio.timeout(10):
            assert await Told.paths.get() == str(path)
        files.note([ChangeRoute(route, replace(route, allow=()))])
        files.watch()
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if "watch" in task.get_name()]
        files.close()

    asyncio.run(body())
