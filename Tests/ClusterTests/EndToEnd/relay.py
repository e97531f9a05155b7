"""A real coturn of a test's own, and a TURN client that says what the relay answers."""

import base64
import hashlib
import hmac
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import time

from processes import free_port, wait_for

# Pages of these tests are all on one machine: what the shipped configuration (compose/coturn.conf) refuses, peers on
# loopback and on private networks, is exactly what they need. Nothing but loopback is listened on.
CONFIGURATION = """
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={port}
min-port=21000
max-port=22999
fingerprint
use-auth-secret
static-auth-secret={secret}
realm=turn.test
no-tls
no-dtls
no-multicast-peers
allow-loopback-peers
cli-ip=127.0.0.1
cli-port={cli_port}
cli-password={password}
userdb={folder}/turndb
pidfile={folder}/turn.pid
log-file=stdout
simple-log
"""


class Relay:
    """`with Relay(folder) as relay`. `secret_file` is what nodes are given; `base`: a configuration that is kept to
    where ours does not say otherwise."""

    def __init__(self, folder, base=None):
        self._base = base
        self.port, self.cli_port = free_port(), free_port()
        self.secret, self.password = secrets.token_urlsafe(24), secrets.token_urlsafe(12)
        self.url = f"turn:127.0.0.1:{self.port}?transport=udp"
        self._folder = pathlib.Path(folder)
        self.secret_file = self._folder / "turn-secret"
        self.secret_file.write_text(self.secret + "\n", encoding="utf8")
        self.secret_file.chmod(0o600)
        self._log_path = self._folder / "turn.log"

    def __enter__(self):
        names = {name: getattr(self, name) for name in ("port", "secret", "cli_port", "password")}
        configuration = self._folder / "coturn.conf"
        configuration.write_text(self._text(CONFIGURATION.format(folder=self._folder, **names)), encoding="utf8")
        program = shutil.which("turnserver", path=os.environ["PATH"] + ":/usr/bin:/usr/sbin")
        if not program:
            raise FileNotFoundError("no turnserver in the PATH: apt-get install coturn")
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                [program, "-c", configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

        def is_listening():
            assert self._process.poll() is None, self.log()
            with socket.socket() as probe:
                return answers(self.port) and probe.connect_ex(("127.0.0.1", self.cli_port)) == 0

        wait_for("the relay to listen", is_listening)
        return self

    def __exit__(self, *_):
        self.hold(False)
        self._process.terminate()
        self._process.wait()

    def _text(self, own):
        if not self._base:
            return own
        own = own.replace("allow-loopback-peers\n", "")
        names = {line.split("=")[0] for line in own.split()}
        lines = self._base.read_text(encoding="utf8").split("\n")
        return own + "\n".join(line for line in lines if line.split("=")[0] not in names)

    def log(self):
        return self._log_path.read_text(encoding="utf8", errors="replace")

    def hold(self, is_held=True):
        """Stops it as it is: no packet goes through. Or lets it go on."""
        self._process.send_signal(signal.SIGSTOP if is_held else signal.SIGCONT)

    def credentials(self, seconds, name="somebody"):
        username = f"{int(time.time()) + seconds}:{name}"
        code = hmac.new(self.secret.encode(), username.encode(), hashlib.sha1).digest()
        return username, base64.b64encode(code).decode()


MAGIC = 0x2112A442
BINDING, ALLOCATE, REFRESH, PERMISSION = 1, 3, 4, 8
USERNAME, INTEGRITY, ERROR, LIFETIME, PEER, REALM, NONCE, TRANSPORT = 6, 8, 9, 0xD, 0x12, 0x14, 0x15, 0x19


def answers(port):
    """Whether a relay answers there by now, over UDP: it listens on TCP earlier."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", port))
        probe.settimeout(1)
        try:
            probe.send(struct.pack("!HHI", BINDING, 0, MAGIC) + os.urandom(12))
            return len(probe.recv(2048)) > 0
        except (ConnectionRefusedError, TimeoutError):
            return False


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


class TurnClient:
    """One allocation over UDP (RFC 8656), by hand: browsers hide what a relay answers."""

    def __init__(self, port, username, credential):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(5)
        self._username, self._credential = username.encode(), credential.encode()
        self._realm = self._nonce = None

    def allocate(self):
        """Seconds that the allocation is good for, or the error's code as a negative number."""
        return self._ask(ALLOCATE, attribute(TRANSPORT, struct.pack("!I", 17 << 24)))

    def refresh(self, seconds=600):
        return self._ask(REFRESH, attribute(LIFETIME, struct.pack("!I", seconds)))

    def permit(self, address):
        """Whether the relay would send there: 0, or the error's code as a negative number."""
        number = struct.unpack("!I", socket.inet_aton(address))[0] ^ MAGIC
        return self._ask(PERMISSION, attribute(PEER, struct.pack("!BBHI", 0, 1, 9 ^ (MAGIC >> 16), number)))

    def close(self):
        self._socket.close()

    def _ask(self, method, attributes):
        while True:
            answer = self._exchange(method, attributes)
            if ERROR not in answer:
                return struct.unpack("!I", answer[LIFETIME])[0] if LIFETIME in answer else 0
            code = answer[ERROR][2] * 100 + answer[ERROR][3]
            if code not in (401, 438) or NONCE not in answer or answer[NONCE] == self._nonce:
                return -code
            self._realm, self._nonce = answer[REALM], answer[NONCE]

    def _exchange(self, method, attributes):
        number = os.urandom(12)
        if self._nonce:
            attributes += attribute(USERNAME, self._username)
            attributes += attribute(REALM, self._realm) + attribute(NONCE, self._nonce)
            head = struct.pack("!HHI", method, len(attributes) + 24, MAGIC) + number
            key = hashlib.md5(b":".join([self._username, self._realm, self._credential])).digest()
            attributes += attribute(INTEGRITY, hmac.new(key, head + attributes, hashlib.sha1).digest())
        self._socket.send(struct.pack("!HHI", method, len(attributes), MAGIC) + number + attributes)
        while True:
            answer = self._socket.recv(2048)
            if answer[8:20] == number:
                return self._attributes(answer)

    @staticmethod
    def _attributes(answer):
        found, place = {}, 20
        while place < len(answer):
            kind, length = struct.unpack("!HH", answer[place : place + 4])
            found[kind] = answer[place + 4 : place + 4 + length]
            place += 4 + length + (-length % 4)
        return found
