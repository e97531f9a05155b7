"""docs/security-cases.md is true: every test that it names exists, names its CVE, and tries the inputs of its row."""

import ast
import importlib
import pathlib
import re

import pytest
from raw import RS

FOLDER = pathlib.Path(__file__).resolve().parent
PAGE = FOLDER.parents[2] / "docs" / "security-cases.md"
NAMED = re.compile(r"`([\w/]+\.(?:py|swift))::(\w+)`")


def rows():
    """Section, first cell and named tests of every row."""
    section = ""
    for line in PAGE.read_text(encoding="utf8").splitlines():
        if line.startswith("## "):
            section = line
        elif line.startswith("|") and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if not cells[-1].startswith("test"):
                yield pytest.param(section, cells[0], NAMED.findall(cells[-1]), id=cells[0][:40] + " " + cells[1][:40])


def about(file, name):
    """What stands at a test about itself: its docstring in Python, what stands above it in Swift."""
    if file.endswith(".py"):
        tree = ast.parse((FOLDER / file).read_text(encoding="utf8"))
        found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
        return (ast.get_docstring(found[0]) or "") + name if found else None
    lines = (FOLDER.parent / file).read_text(encoding="utf8").splitlines()
    for number, line in enumerate(lines):
        if re.search(rf"\bfunc {name}\(", line):
            return "\n".join(lines[max(0, number - 12) : number])
    return None


def texts(value):
    """Every text in the parameters of a test; packets that are sent together are told apart."""
    if isinstance(value, str):
        yield from value.split(RS)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)


@pytest.mark.parametrize(("section", "case", "tests"), list(rows()))
def test_the_page_of_security_cases(section, case, tests):
    assert tests, "the row names no test"
    for file, name in tests:
        words = about(file, name)
        assert words is not None, f"{file} has no {name}"
        if case.startswith("CVE-"):
            assert case in words, f"{name} does not say {case}"
    if "§10.3" in section:
        ((file, name),) = tests
        marks = getattr(getattr(importlib.import_module(file.removesuffix(".py")), name), "pytestmark", [])
        tried = set(texts([list(mark.args[1]) for mark in marks if mark.name == "parametrize"]))
        for packet in re.findall(r"`([^`]+)`", case):
            assert packet in tried, f"{name} does not try {packet}"


def test_every_cve_of_the_tests_is_on_the_page():
    page = PAGE.read_text(encoding="utf8")
    for file in [*FOLDER.glob("*.py"), *FOLDER.parent.rglob("*.swift")]:
        for cve in re.findall(r"CVE-\d{4}-\d+", file.read_text(encoding="utf8")):
            assert cve in page, f"{file.name} names {cve}"


def test_every_refusal_of_hostile_pages_is_counted():
    """The counters of that section are metrics that the operations page names; where there is none, the row says
    why."""
    metrics = (PAGE.parent / "operations.md").read_text(encoding="utf8")
    section = PAGE.read_text(encoding="utf8").split("## Hostile pages")[1].split("\n## ")[0]
    counters = [line.split(" | ")[2] for line in section.splitlines() if line.startswith("| ")][1:]
    assert counters
    for counter in counters:
        names = re.findall(r"`(submergence_\w+)`", counter)
        assert names or counter.startswith(("none: ", "the same")), counter
        assert all(f"`{name}`" in metrics for name in names), counter
