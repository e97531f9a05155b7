#!/usr/bin/env python3
"""Passes bytes between nodes and their MongoDB router, until it is told not to: a network that can be cut.

  relay.py LISTEN:TARGET...

reads lines from standard input: `pass K`, `hang K` (nothing is passed any more, nobody is told) or `cut K` (connections
are reset, new ones at once), K counting the pairs from 0. Ends with its standard input.
"""

import asyncio
import socket
import struct
import sys


def reset(transport):
    """Not just an end: whoever waits for an answer is told that there will be none."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class End(asyncio.Protocol):
    """One side of a connection."""

    def __init__(self, link):
        self.link = link
        self.other = None
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.link.ends.add(self)
        if self.link.mode == "hang":
            transport.pause_reading()

    def data_received(self, data):
        self.other.transport.write(data)

    def pause_writing(self):
        if self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self):
        if self.other.transport and self.link.mode == "pass":
            self.other.transport.resume_reading()

    def connection_lost(self, _):
        self.link.ends.discard(self)
        if self.other is not None and self.other.transport:
            self.other.transport.close()


class Near(End):
    """The side of the node: it brings the other one."""

    def connection_made(self, transport):
        super().connection_made(transport)
        if self.link.mode == "cut":
            reset(transport)
            return
        transport.pause_reading()
        self.link.tasks.add(task := asyncio.ensure_future(self._dial()))
        task.add_done_callback(self.link.tasks.discard)

    async def _dial(self):
        loop = asyncio.get_running_loop()
        try:
            while self.link.mode == "hang":
                await asyncio.sleep(0.05)
            _, far = await loop.create_connection(lambda: End(self.link), "127.0.0.1", self.link.target)
        except OSError:
            reset(self.transport)
            return
        far.other, self.other = self, far
        if self.link.mode == "pass":
            self.transport.resume_reading()


class Link:
    def __init__(self, target):
        self.target = target
        self.mode = "pass"
        self.ends = set()
        self.tasks = set()

    def set(self, mode):
        self.mode = mode
        for end in list(self.ends):
            if mode == "cut":
                reset(end.transport)
            elif mode == "hang":
                end.transport.pause_reading()
            elif end.other is not None:
                end.transport.resume_reading()


async def main():
    loop = asyncio.get_running_loop()
    links = []
    for pair in sys.argv[1:]:
        listen, target = map(int, pair.split(":"))
        links.append(link := Link(target))
        await loop.create_server(lambda link=link: Near(link), "127.0.0.1", listen)
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        mode, number = line.split()
        links[int(number)].set(mode)
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
