"""The kernel says of each transaction whose socket made it: that of our own nft, by its number."""

import asyncio
import shutil

from ambassador.planes.kernel.layout import skeleton
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.watch import RulesetWatch


def test_nft_is_heard_as_soon_as_the_rules_are_there(network, loop):
    async def make():
        changed = []
        watch = RulesetWatch(changed.append)
        watch.open()
        nft = Nft(shutil.which("nft"))
        try:
            async with watch.ours() as made:
                await nft.run(skeleton(), made)
                async with asyncio.timeout(10):  # a busy machine may see the end of nft first
                    while not made.by:
                        await made.heard.wait()
                assert len(made.by) == 1
            assert await nft.table() is not None
            assert changed == []  # nobody else was at work
        finally:
            watch.close()

    loop.do(make())
