#!/usr/bin/env python3
"""Sends much through a node, up and down, directly and behind nginx, and samples its memory meanwhile (SPEC AC-5,
AC-10).

Run it with scripts/streams.sh, which builds a release and has the Python packages.
"""

import argparse
import pathlib
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from memory import Sampler, resident  # noqa: E402
from processes import Nginx, Nodes  # noqa: E402
from raw import conformance_options  # noqa: E402

MIB = 1 << 20


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024, help="how much, each time (1024)")
    parser.add_argument("--bound", type=int, default=32, help="MiB that the node may have more meanwhile (32)")
    return parser.parse_args()


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        assert piece, f"closed behind {data!r}"
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return rest


def upload(port, size):
    piece = bytes(MIB)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"PUT /sink HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            connection.sendall(piece)
        answer = read_head(connection)
        while not answer.endswith(b'"events":[]}'):
            answer += connection.recv(65_536)
        assert b'"bytes":%d' % size in answer, answer


def download(port, size):
    buffer = bytearray(MIB)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /source?bytes=%d&length=%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % (size, size))
        left = size - len(read_head(connection))
        while left:
            count = connection.recv_into(buffer)
            assert count, f"closed, with {left} bytes to come"
            left -= count


def main():
    options = parse_arguments()
    size = options.megabytes * MIB
    grew = False
    with tempfile.TemporaryDirectory(prefix="submergence-streams-") as folder:
        nodes = Nodes(folder)
        proxies = []
        try:
            (node,) = nodes.start(1, options=conformance_options(2))
            proxies.append(Nginx(folder, [node], body_size="0"))
            ways = [(name, way) for name in ("directly", "through nginx") for way in (upload, download)]
            for name, way in ways:  # connections, code and buffers are there before anything is measured
                way(proxies[0].port if name == "through nginx" else node.port, 16 * MIB)
            print(f"{options.megabytes} MiB each; resident memory of the node in MiB")
            print(f"{'':24} {'base':>7} {'peak':>7} {'end':>7} {'MB/s':>7} {'samples':>8}")
            for name, way in ways:
                port = proxies[0].port if name == "through nginx" else node.port
                base = resident(node.process.pid)
                started = time.monotonic()
                with Sampler(node.process.pid) as sampler:
                    way(port, size)
                seconds = time.monotonic() - started
                end = resident(node.process.pid)
                row = [f"{value / MIB:7.1f}" for value in (base, sampler.peak, end)]
                print(f"{way.__name__ + ' ' + name:24} {' '.join(row)} {size / 1e6 / seconds:7.0f} {sampler.samples:8}")
                grew = grew or sampler.peak - base > options.bound * MIB
        finally:
            for proxy in proxies:
                proxy.end()
            nodes.end()
    if grew:
        print(f"the memory of the node grew by more than {options.bound} MiB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
