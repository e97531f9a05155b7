#!/usr/bin/env python3
"""Checks the architecture by looking at the sources (docs/architecture.md, "House rules"). Prints what breaks a rule.

layers.py [PROJECT]      exit status 1 when a rule is broken
"""

import pathlib
import re
import sys

# Nothing points back: Wire <- Routing <- Backplane <- Node <- Server, CMongo <- Backplane. A target that builds in
# seconds is kept so by listing what it may import; for the others it is enough to list what they must not.
MAY_IMPORT = {
    "Wire": {"CZlib", "NIOCore", "Synchronization"},
    "Routing": {"Wire", "NIOCore", "NIOConcurrencyHelpers", "DequeModule", "OrderedCollections", "Metrics"}
    | {"Synchronization", "Glibc", "Darwin", "Musl"},
}
MUST_NOT_IMPORT = {
    "Backplane": {"Node", "Server", "Hummingbird", "HummingbirdCore", "HTTPTypes", "Crypto", "NIOSSL", "JWTKit"},
    "Node": {"Server", "CMongo", "ArgumentParser"},
    "Server": {"CMongo", "Backplane", "Routing"},
}

IMPORT = re.compile(r"^\s*(?:@\S+\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+(?:\w+\s+)?(\w+)")
C_DRIVER = re.compile(r"\b(?:OpaquePointer|(?:mongoc|bson)_\w+)")
UNCHECKED = re.compile(r"@unchecked\s+Sendable|nonisolated\(unsafe\)|assumeIsolatedUnsafeUnchecked")
COMMENT = re.compile(r"//.*")

LONGEST_FILE = 400


def code_lines(lines):
    """The lines without comments. Comment marks inside string literals cut a line short, which loses no rule."""
    in_block = False
    for line in lines:
        if in_block:
            in_block = "*/" not in line
            yield ""
        elif line.lstrip().startswith("/*") and "*/" not in line:
            in_block = True
            yield ""
        else:
            yield COMMENT.sub("", line)


def has_invariant(lines, index):
    """Whether the doc comment right above says what makes it safe; attributes and modifiers may stand between."""
    depth = 0
    for line in reversed(lines[max(0, index - 40) : index]):
        text = line.strip()
        if text.startswith("///"):
            if re.match(r"///\s*(?:- )?Invariant\b", text):
                return True
        elif text == "" or depth > 4:
            return False
        else:
            depth += 1  # a declaration that runs over several lines
    return False


def check(file, target, inside):
    lines = file.read_text(encoding="utf8").split("\n")
    if len(lines) > LONGEST_FILE + 1:
        yield 1, f"{len(lines) - 1} lines; {LONGEST_FILE} at most"
    in_driver = target == "Backplane" and inside.parts[0] == "Mongo"
    for number, line in enumerate(code_lines(lines), start=1):
        if match := IMPORT.match(line):
            module = match.group(1)
            if target in MAY_IMPORT and module not in MAY_IMPORT[target]:
                yield number, f"{target} may not import {module}"
            if module in MUST_NOT_IMPORT.get(target, ()):
                yield number, f"{target} may not import {module}"
        if not in_driver and (match := C_DRIVER.search(line)):
            yield number, f"{match.group(0)} belongs in Sources/Backplane/Mongo"
        if (match := UNCHECKED.search(line)) and not has_invariant(lines, number - 1):
            yield number, f'{match.group(0)} needs a doc line that starts with "Invariant"'


def main():
    project = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    if project.is_file():
        project = project.parent.parent
    sources = project / "Sources"
    broken = 0
    for file in sorted(sources.rglob("*.swift")):
        path = file.relative_to(sources)
        for number, problem in check(file, path.parts[0], path.relative_to(path.parts[0])):
            print(f"{file.relative_to(project)}:{number}: {problem}")
            broken += 1
    for file in sorted((project / "Tests").rglob("*.swift")):
        count = len(file.read_text(encoding="utf8").splitlines())
        if count > LONGEST_FILE:
            print(f"{file.relative_to(project)}:1: {count} lines; {LONGEST_FILE} at most")
            broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
