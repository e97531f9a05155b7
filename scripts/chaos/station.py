"""The node processes of a chaos run, their way to MongoDB, and what can be done to them."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from processes import SLOT_MIB, Watched, executable, free_port, wait_for

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")

# The exit status of a node that found something missing at its start (submergence --help).
CANNOT_START = 69


def knows_grace():
    """Whether this build defers Offline (SPEC LC-8)."""
    text = subprocess.run(
        [executable(), "conformance", "--help"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ).stdout
    return "--presence-grace" in text


class Relays:
    """One process that carries the traffic of all nodes with the router (relay.py)."""

    def __init__(self, count, router_port):
        self.ports = [free_port() for _ in range(count)]
        pairs = [f"{port}:{router_port}" for port in self.ports]
        program = pathlib.Path(__file__).with_name("relay.py")
        self._process = subprocess.Popen(
            [sys.executable, "-B", program, *pairs], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()
        self._process.stdout.readline()

    def set(self, number, mode):
        with self._lock:
            self._process.stdin.write(f"{mode} {number}\n")
            self._process.stdin.flush()
            self._process.stdout.readline()

    def end(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Station(Watched):
    """One node, which keeps name, address and files over restarts."""

    def __init__(self, folder, number, relays, presence, options, can_jump):
        self.number = number
        self.name = f"node-{number + 1}"
        self.port = free_port()
        self.control_port = free_port()
        self.process = None
        self.is_wanted = False
        self._relays = relays
        self._log_path = folder / f"{self.name}.log"
        self._clock = folder / f"{self.name}.clock" if can_jump else None
        self.arguments = [executable(), "conformance", "--name", self.name]
        self.arguments += ["--port", str(self.port), "--control-port", str(self.control_port)]
        self.arguments += ["--log-presence", str(presence)]
        self.arguments += ["--mongodb", f"mongodb://127.0.0.1:{relays.ports[number]}/?directConnection=false"]
        self.arguments += ["--slot-size", str(SLOT_MIB), *options]

    @property
    def log_path(self):
        return self._log_path

    @property
    def can_jump(self):
        return self._clock is not None

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        environment, arguments = dict(os.environ), self.arguments
        if self._clock:
            # libfaketime adds to the environment of the first program that it is loaded into; Swift then does not find
            # that program's arguments. So the first one is another.
            arguments = ["env", *arguments]
            self.jump(0)
            environment |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        with open(self._log_path, "ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    @property
    def is_ready(self):
        if not self.is_running:
            return False
        try:
            return "ready" in self.control("/.well-known/submergence/ready")
        except OSError:
            return False

    def come_up(self, seconds=240):
        """Starts it, as often as it takes: one that finds no MongoDB at its start says so and ends, and whoever runs it
        starts it again."""
        deadline = time.monotonic() + seconds
        self.start()
        while not self.is_ready:
            if not self.is_running:
                if self.process.returncode != CANNOT_START or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-3000:]}")
                time.sleep(1)
                self.start()
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} was not ready within {seconds} s:\n{self.log()[-3000:]}")
            time.sleep(0.05)
        self.is_wanted = True

    def wait_until_ready(self, seconds=240):
        wait_for(f"{self.name} to be ready", lambda: self.is_ready or not self.is_running, seconds)
        if not self.is_running:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-3000:]}")

    def kill(self):
        self.is_wanted = False
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def drain(self, seconds=120):
        """As an operator would. Returns the exit status."""
        self.is_wanted = False
        self.process.terminate()
        return self.process.wait(seconds)

    def ask_to_end(self):
        self.is_wanted = False
        if self.is_running:
            self.resume()
            self.process.terminate()

    def end(self):
        if self.is_running:
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def partition(self, mode):
        self._relays.set(self.number, mode)

    def jump(self, seconds):
        """Sets the wall clock of this process apart from everybody else's; its monotonic clock goes on."""
        self._clock.write_text(f"{seconds:+d}s\n", encoding="ascii")
