"""A short chaos run (scripts/chaos.sh): faults of nodes and MongoDB while clients come and go, and a clean history."""

import subprocess
import sys

from processes import SCRIPTS

# A killed node, a paused one, an election and a router that comes back: what every run has, for a short time and few
# users. Nothing here is timed: the run waits for conditions, and the checker concludes from what was seen.
SHORT = ["--minutes", "0.6", "--users", "20", "--rate", "15", "--seed", "6"]
FAULTS = ["--faults", "kill,pause,step-down,router-kill"]


def test_short_run():
    done = subprocess.run(
        [sys.executable, "-B", SCRIPTS / "chaos/run.py", *SHORT, *FAULTS],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "seed 6\n" in done.stdout and "verdict: clean\n" in done.stdout
    for fault in ("kill", "pause", "step-down", "router-kill"):
        assert f"x {fault}" in done.stdout, done.stdout


def test_wrong_arguments():
    run = [sys.executable, "-B", SCRIPTS / "chaos/run.py", "--faults", "earthquake"]
    done = subprocess.run(run, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "no such fault: earthquake" in done.stderr
