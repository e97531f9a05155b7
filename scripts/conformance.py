"""Runs the conformance tests several times and prints what became of each case: the body of scripts/conformance.sh."""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

PROJECT = pathlib.Path(__file__).resolve().parents[1]
TESTS = PROJECT / "Tests/ClusterTests/EndToEnd"
FILES = ["test_official_suites.py", "test_socketio.py"]

# The cases of the suites as SOCKETIO §17 counts them: should one get lost, that is a failure.
EXPECTED = {"Engine.IO suite": 25, "Socket.IO suite": 32}

SECTIONS = [
    ("Engine.IO suite", re.compile(r"^Engine\.IO suite > ")),
    ("Socket.IO suite", re.compile(r"^Socket\.IO suite > ")),
    ("Examples (§10.1)", re.compile(r"^example ")),
    ("Decision table (§10.3)", re.compile(r"^(packets that |an id on connect|out of turn|joining again)")),
    ("Beyond", re.compile("")),
]


def run(number, arguments, folder):
    """One run of the tests: {(case, target): None or the failure's text}."""
    report = pathlib.Path(folder) / f"run-{number}.xml"
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--no-header", "--tb=short"]
    command += ["--junitxml", str(report), "--through", arguments.through, "--loops", arguments.loops]
    done = subprocess.run([*command, *(str(TESTS / file) for file in FILES)], check=False, stdout=subprocess.PIPE)
    if done.returncode not in (0, 1) or not report.exists():
        sys.stdout.buffer.write(done.stdout)
        print(f"error: pytest ended with {done.returncode}", file=sys.stderr)
        sys.exit(2)
    results = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        problems = [child for child in case if child.tag in ("failure", "error", "skipped")]
        text = "\n".join(problem.text or problem.get("message") or problem.tag for problem in problems)
        results[split(case.get("name"))] = text or None
    return results


def split(name):
    """`test_x[direct-one-loop-rest]` as the case's name and the target."""
    function, _, parameters = name.partition("[")
    target = re.match(r"((?:direct|nginx)-\w+-loops?)-?", parameters)
    if not target:
        return function, "-"
    rest = parameters[target.end() : -1]
    title = function.removeprefix("test_").replace("_", " ")
    if rest.startswith(tuple(EXPECTED)):
        title = rest
    elif rest:
        title += f": {rest}"
    return title, target[1]


def table(results, runs, targets):
    """Prints it; returns the number of cases that did not always pass."""
    cases = list(dict.fromkeys(case for case, _ in results))
    failed = 0
    for title, pattern in SECTIONS:
        members = [case for case in cases if pattern.match(case)]
        cases = [case for case in cases if case not in members]
        if not members:
            continue
        print(f"\n{title}: {len(members)} cases")
        if EXPECTED.get(title, len(members)) != len(members):
            print(f"  there should be {EXPECTED[title]}")
            failed += 1
        print("  " + "  ".join(target.rjust(9) for target in targets))
        for case in members:
            passed = [results.get((case, target), []).count(None) for target in targets]
            bad = any(count != runs for count in passed)
            failed += bad
            cells = "  ".join(f"{count}/{runs}".rjust(max(9, len(target))) for count, target in zip(passed, targets))
            print(f"  {cells}  {'FAILED ' if bad else ''}{case.removeprefix(title + ' > ')}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--through", choices=["direct", "nginx", "both"], default="both")
    parser.add_argument("--loops", default="1,4")
    arguments = parser.parse_args()
    results = collections.defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="submergence-conformance-") as folder:
        for number in range(1, arguments.runs + 1):
            found = run(number, arguments, folder)
            bad = sum(problem is not None for problem in found.values())
            print(f"run {number} of {arguments.runs}: {len(found) - bad} passed, {bad} failed", flush=True)
            for key, problem in found.items():
                results[key].append(problem)
                if problem is not None:
                    print(f"--- {key[0]} ({key[1]})\n{problem}")
    targets = list(dict.fromkeys(target for _, target in results))
    failed = table(results, arguments.runs, targets)
    print(f"\n{len(set(case for case, _ in results)) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
