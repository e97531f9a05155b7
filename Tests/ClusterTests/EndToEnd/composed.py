"""What compose/docker-compose.yml says, as docker-compose reads it."""

import functools
import os
import re
import subprocess

import yaml
from processes import PROJECT, executable

COMPOSE = PROJECT / "compose"
PROFILES = ("metrics", "grafana", "test")

# Of the container of a node: everything that names one of its own files or ports there.
SECRETS = "/secrets/"


@functools.cache
def project(https_port=443):
    """The file with all profiles. `$` stands for itself."""
    command = ["docker-compose", "--file", str(COMPOSE / "docker-compose.yml")]
    for profile in PROFILES:
        command += ["--profile", profile]
    done = subprocess.run(
        [*command, "config"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HTTPS_PORT": str(https_port)},
    )
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout.replace("$$", "$"))


def flags(service, https_port=443):
    """The arguments of a node: [("--domain", "localhost"), ...]."""
    return [tuple(argument.split("=", 1)) for argument in project(https_port)["services"][service]["command"]]


def known_flags(*command):
    """The options of a command, from its help."""
    done = subprocess.run([executable(), *command, "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", done.stdout))
