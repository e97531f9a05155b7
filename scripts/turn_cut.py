#!/usr/bin/env python3
"""Ends what a user has open at a coturn relay, through coturn's telnet interface (docs/turn.md).

Neither the end of a credential's life nor a new secret ends an allocation that was made before; this does. With --for
it goes on doing so until the user's credentials have run out, so that none is made again.

    TURN_CLI_PASSWORD=... scripts/turn_cut.py --domain app.example --user alice --secret-file turn-secret --for 3600

Prints how many sessions it has ended. Exit status: 0 done, 64 wrong command line, 69 the interface cannot be used.
"""

import argparse
import base64
import hashlib
import hmac
import os
import pathlib
import re
import socket
import sys
import time

PROMPT = b"> "
SESSION = re.compile(r"id=(\d+), user <([^>]*)>")


def user_hash(secret, domain, user):
    """The part of a user's TURN username that does not change, as a node makes it."""
    code = hmac.new(secret.encode(), f"turn/v1/{domain}/{user}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(code[:12]).decode().rstrip("=")


class Interface:
    """coturn's telnet interface; one question at a time."""

    def __init__(self, host, port, password):
        self._socket = socket.create_connection((host, port), timeout=5)
        self._read(b"password:")
        answer = self._ask(password)
        if "Wrong password" in answer:
            raise PermissionError("the password is wrong")

    def _read(self, end):
        text = b""
        while not text.rstrip(b" \n\r").endswith(end.rstrip()):
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("the relay has closed its interface")
            text += more
        return text.decode(errors="replace")

    def _ask(self, line):
        self._socket.sendall(line.encode() + b"\r\n")
        return self._read(PROMPT)

    def sessions(self, part):
        """The ids of the sessions whose user ends with that part."""
        return [number for number, user in SESSION.findall(self._ask(f"psp {part}")) if user.endswith(part)]

    def cancel(self, number):
        self._ask(f"cs {number}")

    def close(self):
        self._socket.close()


def cut(interface, part):
    """Ends the sessions of that user; returns how many there were."""
    found = interface.sessions(part)
    for number in found:
        interface.cancel(number)
    return len(found)


def arguments():
    parser = argparse.ArgumentParser(
        description="Ends what a user has open at a coturn relay.",
        epilog="The password of the interface comes from $TURN_CLI_PASSWORD, the relay's secret from --secret-file or "
        "$SUBMERGENCE_TURN_SECRET. Exit status: 0 done, 64 wrong command line, 69 the interface cannot be used.",
    )
    parser.exit_on_error = False
    parser.add_argument("--cli", default="127.0.0.1:5766", metavar="HOST:PORT", help="coturn's telnet interface")
    parser.add_argument("--domain", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--secret-file", metavar="PATH", help="the file that the nodes have")
    parser.add_argument("--for", dest="duration", type=float, default=0, metavar="SECONDS", help="go on for so long")
    parser.add_argument("--every", type=float, default=1, metavar="SECONDS", help="how often it looks (1)")
    return parser.parse_args()


def fail(status, message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def main():
    try:
        options = arguments()
        host, _, port = options.cli.rpartition(":")
        port = int(port)
    except (argparse.ArgumentError, ValueError) as error:
        fail(64, f"{error}; see --help")
    secret = os.environ.get("SUBMERGENCE_TURN_SECRET", "")
    if options.secret_file:
        secret = pathlib.Path(options.secret_file).read_text(encoding="utf8").split("\n")[0]
    password = os.environ.get("TURN_CLI_PASSWORD")
    if not secret or not password:
        fail(64, "the secret and $TURN_CLI_PASSWORD are both needed; see --help")
    part = ":" + user_hash(secret, options.domain, options.user)
    end = time.monotonic() + options.duration
    try:
        interface = Interface(host, port, password)
        count = cut(interface, part)
        while time.monotonic() < end:
            time.sleep(options.every)
            count += cut(interface, part)
        interface.close()
    except OSError as error:
        fail(69, f"the interface at {options.cli}: {error}")
    print(count)


if __name__ == "__main__":
    main()
