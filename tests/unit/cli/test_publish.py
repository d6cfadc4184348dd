import asyncio
import os
import signal
import socket
import subprocess
import sys

from ambassador.cli.verbs import invoke
from tests.fake_engine import FakeEngine, entry
from tests.ports import free_port


def test_a_missing_port_is_told_with_an_example(capsys):
    assert invoke(["publish", "redis"]) == 2
    assert "ambassador publish redis 6379" in capsys.readouterr().err


def test_a_port_leads_to_the_container_until_the_command_is_stopped(tmp_path):
    async def story():
        echo = await asyncio.start_server(_echo, "127.0.0.1", 0)
        inner, outer = echo.sockets[0].getsockname()[1], free_port()
        engine = FakeEngine(tmp_path / "s")
        engine.containers = [entry("echo", "127.0.0.1")]
        await engine.start()
        environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
        environ |= {"AMBASSADOR_DOCKER": f"unix://{engine.path}"}
        command = (sys.executable, "-m", "ambassador", "publish")
        process = await asyncio.create_subprocess_exec(
            *command, "echo", f"{outer}:{inner}", env=environ, stdout=subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            assert line == f"port {outer} leads to echo, at 127.0.0.1:{inner} now\n"
            assert await _said(outer) == b"hello"
            listing = await asyncio.create_subprocess_exec(
                *command, "--list", env=environ, stdout=subprocess.PIPE
            )
            text, _ = await listing.communicate()
            assert f":{outer}" in text.decode()
        finally:
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            echo.close()
            await engine.stop()
        with socket.socket() as nobody:
            assert nobody.connect_ex(("127.0.0.1", outer)) != 0

    asyncio.run(asyncio.wait_for(story(), 60))


async def _said(port):
    for _ in range(200):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.write(b"hello")
        answer = await reader.readexactly(5)
        writer.close()
        return answer
    raise AssertionError("nobody listens")


async def _echo(reader, writer):
    writer.write(await reader.read(100))
    await writer.drain()
    writer.close()
