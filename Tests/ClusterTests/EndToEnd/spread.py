"""Browsers that a proxy with `ip_hash` takes for clients of different networks: each goes through a relay of its own,
which connects from an address of its own on loopback."""

import asyncio

from processes import free_port


class Relay:
    """Passes bytes on to a port of this machine, coming from `source`: `async with Relay(port, "127.0.5.1")`."""

    def __init__(self, target, source="127.0.0.1"):
        self._target, self._source = target, source
        self.port = free_port()
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    async def _reach(self, reader, writer):
        """The streams of the far side."""
        return await asyncio.open_connection("127.0.0.1", self._target, local_addr=(self._source, 0))

    async def _serve(self, reader, writer):
        try:
            far_reader, far_writer = await self._reach(reader, writer)
        except (OSError, EOFError):
            writer.close()
            return
        self._writers |= {writer, far_writer}
        try:
            await self._join((reader, writer), (far_reader, far_writer))
        finally:
            self._writers -= {writer, far_writer}

    async def _join(self, near, far):
        await asyncio.gather(self._pass(near[0], far[1]), self._pass(far[0], near[1]))

    async def _pass(self, reader, writer, admits=lambda data: True):
        """Until one side ends, or `admits` says no."""
        try:
            while (data := await reader.read(1 << 16)) and admits(data):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # either side has gone, and the other one hears of it
        finally:
            writer.close()
