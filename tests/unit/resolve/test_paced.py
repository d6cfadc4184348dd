import asyncio
import socket
import time

from ambassador.resolve.paced import paced
from ambassador.tasks import spawn

COUNT = 60


def test_answers_that_come_at_one_moment_are_read_with_turns_for_others():
    read = 0

    async def ask(sock):
        nonlocal read
        answer, _ = await sock.recvfrom(100, 10)
        end = time.thread_time() + 0.0005
        while time.thread_time() < end:  # what it takes to read one
            pass
        read += 1
        return answer

    async def main():
        nonlocal read
        most = 0
        socks = [
            await paced().make_socket(socket.AF_INET, socket.SOCK_DGRAM, 0, ("127.0.0.1", 0))
            for _ in range(COUNT)
        ]
        asking = [spawn(ask(sock), "ask") for sock in socks]
        await asyncio.sleep(0)
        with socket.socket(type=socket.SOCK_DGRAM) as server:
            for number, sock in enumerate(socks):
                server.sendto(b"%d" % number, await sock.getsockname())
        while not all(one.done() for one in asking):
            read = 0
            await asyncio.sleep(0)
            most = max(most, read)
        for sock in socks:
            await sock.close()
        return most, [one.result() for one in asking]

    most, answers = asyncio.run(main())
    assert answers == [b"%d" % number for number in range(COUNT)]
    assert most < 15  # of those that wait, one has its turn
