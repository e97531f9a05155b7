"""The command line: help, version, and starts that fail with what, why and what to do."""

import socket
import subprocess

import pytest
from processes import executable, free_port


def run(*arguments, seconds=60):
    return subprocess.run(
        [executable(), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.mark.parametrize("command", [(), ("serve",), ("conformance",), ("init-db",), ("load",)], ids="-".join)
def test_help(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "USAGE:" in done.stdout and "--help" in done.stdout


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.strip()[0].isdigit()


def test_port_taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = run("serve", "--dev", "--port", port, "--control-port", free_port())
    assert done.returncode == 69
    assert f"127.0.0.1:{port}" in done.stderr


def test_mongodb_away():
    nobody = free_port()
    uri = f"mongodb://127.0.0.1:{nobody}/?directConnection=false&serverSelectionTimeoutMS=1000"
    done = run("serve", "--dev", "--port", free_port(), "--control-port", free_port(), "--mongodb", uri)
    assert done.returncode == 69
    assert str(nobody) in done.stderr


def test_development_mode_stays_on_loopback():
    """DESIGN §9: refused unless every listener is on loopback."""
    done = run("serve", "--dev", "--host", "0.0.0.0", "--port", free_port(), "--control-port", free_port())
    assert done.returncode == 69
    assert "0.0.0.0" in done.stderr and "127.0.0.1" in done.stderr


def test_production_needs_keys():
    """OP-1: no signing keys, no start."""
    done = run("serve", "--domain", "app.example", "--port", free_port(), "--control-port", free_port())
    assert done.returncode == 69
    assert "key" in done.stderr


def test_passwords_are_not_printed():
    """A connection string's password is never printed (OP-1)."""
    uri = f"mongodb://someone:sesame@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=1000"
    done = run("serve", "--dev", "--port", free_port(), "--control-port", free_port(), "--mongodb", uri)
    assert done.returncode == 69
    assert "sesame" not in done.stdout + done.stderr
