"""The pages: what they link to is there, what they tell to run exists, and what they show is what is tested."""

import asyncio
import functools
import re
import subprocess
import sys

import pytest
from processes import PROJECT, SCRIPTS, Example, executable

PAGES = sorted(
    [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("Examples/**/*.md"), *SCRIPTS.glob("*/*.md")]
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# A command's own words and its options: "submergence keys create NAME --file F".
COMMAND = re.compile(r"(?:^|[\s/|(;&])submergence ((?:[a-z][a-z-]* )*[a-z][a-z-]*|)(?=\s|$)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
SCRIPT = re.compile(r"(?<![\w/.-])(scripts/[\w./-]+\.(?:sh|py)|scripts/[\w-]+(?=\s|$))")


def blocks(page, *languages):
    text = page.read_text(encoding="utf8")
    return [match.group(3) for match in FENCE.finditer(text) if match.group(2) in languages]


def name(page):
    return str(page.relative_to(PROJECT))


@functools.cache
def anchors(page):
    """What GitHub makes of headings: lower case, no punctuation, hyphens for spaces; repeated ones are numbered."""
    text = FENCE.sub("", page.read_text(encoding="utf8"))
    found = {}
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf8"))
    wrong = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong


@functools.cache
def options(command):
    """The options of a command, from its help; nothing if there is no such command."""
    done = subprocess.run([executable(), *command.split(), "--help"], capture_output=True, text=True, check=False)
    return frozenset(OPTION.findall(done.stdout)) if done.returncode == 0 else frozenset()


@functools.cache
def commands():
    """All commands: `serve`, `keys create` ..."""
    found = set()

    def collect(prefix):
        done = subprocess.run([executable(), *prefix, "--help"], capture_output=True, text=True, check=True)
        part = done.stdout.partition("SUBCOMMANDS:")[2]
        for word in re.findall(r"^  ([a-z][a-z-]*)\s", part, re.MULTILINE):
            if word not in ("help", "See"):
                found.add(" ".join([*prefix, word]))
                collect([*prefix, word])

    collect([])
    return found


@functools.cache
def script_help(script):
    return (PROJECT / script).read_text(encoding="utf8")


def lines(block):
    """Commands, each with the lines that continue it, without comments."""
    joined = re.sub(r"\\\n\s*", " ", block)
    return [re.sub(r"(^|\s)#.*$", "", line) for line in joined.split("\n")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page):
    """Every script and every option that a block of shell commands names."""
    wrong = []
    for line in [line for block in blocks(page, "sh") for line in lines(block)]:
        for part in re.split(r"&&|\|\||;|\|", line):
            script = SCRIPT.search(part)
            if script and not (PROJECT / script.group(1)).exists():
                wrong.append(script.group(1))
            elif script:
                text = script_help(script.group(1))
                # What stands behind `--` is for pytest.
                wrong += [option for option in OPTION.findall(part.partition(" -- ")[0]) if option not in text]
            use = COMMAND.search(part)
            if not use:
                continue
            words = use.group(1).split()
            known = [
                " ".join(words[:length])
                for length in range(len(words), 0, -1)
                if " ".join(words[:length]) in commands()
            ]
            parent = known and any(command.startswith(known[0] + " ") for command in commands())
            if words and (not known or (parent and known[0] != " ".join(words))):
                wrong.append(part.strip())
                continue
            given = OPTION.findall(part[use.end() :])
            accepted = options(known[0] if known else "")
            wrong += [f"{part.strip()}: {option}" for option in given if option not in accepted]
    assert not wrong


def test_every_page_is_in_the_index():
    index = (PROJECT / "docs/README.md").read_text(encoding="utf8")
    listed = {target.partition("#")[0] for target in LINK.findall(index)}
    pages = {page.name for page in (PROJECT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= listed, f"give these a row in docs/README.md: {sorted(pages - listed)}"


def test_the_testing_guide_shows_a_test_that_runs():
    (shown,) = blocks(PROJECT / "docs/testing.md", "swift")
    assert shown == (PROJECT / "Tests/ClusterTests/Guides/TestingGuideTests.swift").read_text(encoding="utf8")


def test_the_catalogue_of_the_library_is_right(tmp_path):
    """DocC finds everything that the catalogue in Sources/Node/Node.docc names."""
    done = subprocess.run(
        [SCRIPTS / "docc.sh", tmp_path / "archive"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "archive/documentation/node/index.html").exists() or (tmp_path / "archive/index.html").exists()


def test_the_quick_start(tmp_path):
    """What its second part says: two people by the program that it shows, with Examples/Hello."""
    (program,) = blocks(PROJECT / "docs/quick-start.md", "python")
    with Example(tmp_path, "Hello") as example:
        assert "http://localhost:8080" in program
        file = tmp_path / "friend.py"
        file.write_text(program.replace("http://localhost:8080", example.url), encoding="utf8")
        asyncio.run(friends(file, example))


async def friends(file, example):
    started = []

    async def start(who):
        process = await asyncio.create_subprocess_exec(sys.executable, file, who, stdout=asyncio.subprocess.PIPE)
        started.append(process)
        assert await line(process) == f"{who} is connected"
        return process

    async def line(process):
        return (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()

    try:
        bob = await start("bob")
        await start("alice")
        assert await line(bob) == "alice is online"
        await start("alice")  # nothing is said: the next line is what is sent below
        await asyncio.to_thread(send, example)
        assert await line(bob) == "dave is online"
    finally:
        for process in started:
            process.kill()
            await process.wait()


def send(example):
    command = [executable(), "send", "--url", f"http://127.0.0.1:{example.control_port}", "bob", "online", "dave"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert '"didReceive":true' in done.stdout.replace(" ", "") or "1 connection" in done.stdout, done.stdout
