"""The browser module's application events, other tabs and types (CLIENT.md C-1 to C-4, §2), in real pages on a stub."""

import gzip
import re

import pytest
from aiohttp import web
from plays import Theatre
from processes import PROJECT

MODULE = PROJECT / "Client/submergence.js"


@pytest.fixture(scope="module")
def theatre():
    theatre = Theatre()
    yield theatre
    theatre.close()


def test_events_wait_for_their_first_listener(theatre):
    """C-1: in order, each in a microtask of its own, before newer ones, and only while somebody listens."""

    async def scenario(play):
        page = await play.open()
        for number in range(5):
            await page.line.send("news", number)
        await page.line.send("last")
        await page.run("new Promise(resolve => submergence.once('last', resolve))")
        seen = await page.run(
            """(async () => {
                const seen = [];
                submergence.on("news", number => seen.push(number));
                submergence.emit("news", "newer");
                const atOnce = seen.length;
                await Promise.resolve();
                const afterOne = seen.length;
                await new Promise(resolve => setTimeout(resolve));
                submergence.emit("news", "later");
                return [atOnce, afterOne, seen];
            })()"""
        )
        assert seen == [0, 1, [0, 1, 2, 3, 4, "newer", "later"]]
        halfway = await page.run(
            """(async () => {
                const seen = [];
                submergence.sendEvents([["half", 1], ["half", 2], ["half", 3]]);
                const end = submergence.on("half", number => { seen.push(number); if (number === 2) end(); });
                await new Promise(resolve => setTimeout(resolve));
                submergence.once("half", number => seen.push(["again", number]));
                await new Promise(resolve => setTimeout(resolve));
                return seen;
            })()"""
        )
        assert halfway == [1, 2, ["again", 3]]

    theatre.play(scenario)


def test_a_full_queue_drops_its_oldest_and_says_so_once(theatre):
    """C-2."""

    async def scenario(play):
        page = await play.open(live=False, options={"queueLimit": 10})
        seen = await page.run(
            """(async () => {
                for (let number = 0; number < 25; number += 1) submergence.emit("many", number);
                const seen = [];
                submergence.on("many", number => seen.push(number));
                await new Promise(resolve => setTimeout(resolve));
                return [seen, errors.map(({ code }) => code)];
            })()"""
        )
        assert seen == [list(range(15, 25)), ["OVERFLOW"]]
        await page.run("""for (let number = 0; number < 11; number += 1) submergence.emit("more", number)""")
        assert await page.run("errors.length") == 2

    theatre.play(scenario)


def test_any_name_will_do_and_a_listener_that_fails_harms_nobody(theatre):
    """C-3."""

    async def scenario(play):
        page = await play.open()
        await page.run(
            """(() => {
                window.seen = [];
                for (const name of ["constructor", "__proto__", "toString", "error", "ö 🌊"]) {
                    submergence.on(name, () => { throw new Error("no"); });
                    submergence.on(name, async () => { throw new Error("never"); });
                    submergence.on(name, value => seen.push([name, value]));
                }
            })()"""
        )
        for number, name in enumerate(["constructor", "__proto__", "toString", "error", "ö 🌊"]):
            await page.line.send(name, number)
        await page.until("seen.length === 5 && errors.length === 10")
        assert [value for _, value in await page.run("seen")] == [0, 1, 2, 3, 4]
        assert await page.run("errors.every(error => error.code === 'LISTENER')")
        # A listener of `error` that fails as well is for the logger.
        await page.run(
            "window.logged = [], submergence.getServer(undefined, {logger: {error: detail => logged.push(detail)}}), 0"
        )
        await page.run("server.on('error', () => { throw new Error('again'); })")
        await page.run("submergence.emit('error')")
        await page.until("errors.length === 12 && logged.length === 2")

    theatre.play(scenario)


def test_events_of_the_page(theatre):
    """C-4: what a server has put into the page is emitted as any other event."""

    async def scenario(play):
        async def page(_request):
            text = """<!doctype html><link rel="icon" href="data:,">
                <script src=/page/recorder.js></script><script src=/page/page.js type=module></script>
                <script type="application/json" data-submergence-events>
                    [["hello", {"to": "\\u003cyou>"}], ["hello", 2]]
                </script>
                <script type="application/json" id="submergence-events">[["other"]]</script>
                <script type="application/json">[["hello", "not this"]]</script>
                <script type="application/json" data-submergence-events>{broken</script>"""
            return web.Response(text=text, content_type="text/html")

        play.stub.http["GET", "/embedded"] = page
        page = await play.open(live=False, path="/embedded")
        seen = await page.run(
            """(async () => {
                const seen = [];
                for (const name of ["hello", "other"]) submergence.on(name, (...args) => seen.push([name, ...args]));
                await new Promise(resolve => setTimeout(resolve));
                return seen;
            })()"""
        )
        assert sorted(seen, key=str) == [["hello", 2], ["hello", {"to": "<you>"}], ["other"]]

    theatre.play(scenario)


def test_other_tabs(theatre):
    """§2: to the others of the origin, twice where it is said twice, and never back."""

    async def scenario(play):
        one = await play.open(live=False)
        two = await play.open(live=False, beside=one)
        other = await play.open(live=False)
        for page in (one, two, other):
            await page.run("submergence.otherTabs.on('note', (...args) => heard.push(args), window.heard = [])")
        await one.run("[1, 2].forEach(() => submergence.otherTabs.emit('note', {a: 1}, 'b'))")
        await two.until("heard.length === 2")
        assert await two.run("heard") == [[{"a": 1}, "b"]] * 2
        assert await one.run("heard") == [] and await other.run("heard") == []

    theatre.play(scenario)


def test_devices_that_are_not_there_yet_are_asked_for_again(theatre):
    """§2: getUserMedia, up to 5 tries, on two errors only."""

    async def scenario(play):
        page = await play.open(live=False)
        tries = """(async name => {
            let tries = 0;
            navigator.mediaDevices.getUserMedia = async constraints => {
                tries += 1;
                throw new DOMException(JSON.stringify(constraints), name);
            };
            const error = await submergence.getUserMedia().catch(error => error);
            return [tries, error.name, error.message];
        })"""
        everything = '{"audio":true,"video":true}'
        assert await page.run(f"{tries}('NotReadableError')") == [5, "NotReadableError", everything]
        assert await page.run(f"{tries}('NotFoundError')") == [5, "NotFoundError", everything]
        assert await page.run(f"{tries}('NotAllowedError')") == [1, "NotAllowedError", everything]

    theatre.play(scenario)


def test_servers_are_one_for_each_origin(theatre):
    """§2: by normalised origin; later options are merged, unknown ones are refused."""

    async def scenario(play):
        page = await play.open(live=False)
        assert await page.run("submergence.getServer() === server && submergence.getServer(location.href) === server")
        assert await page.run(
            "submergence.getServer('HTTP://other.example:80/path') === submergence.getServer('http://other.example')"
        )
        assert await page.run("submergence.getServer('http://other.example') !== server")
        refused = "(() => { try { submergence.getServer(%s); } catch (error) { return error.name; } })()"
        assert await page.run(refused % "undefined, {actionTimeOut: 1}") == "TypeError"
        assert await page.run(refused % "'data:,x'") == "TypeError"

    theatre.play(scenario)


def declared():
    """What submergence.d.ts declares: exported values, and the members of its interfaces with the number of parameters
    that they need, None for properties."""
    text = re.sub(r"/\*.*?\*/", "", (PROJECT / "Client/submergence.d.ts").read_text(encoding="utf8"), flags=re.S)
    values = set(re.findall(r"^export (?:function|const|class) (\w+)", text, re.M))
    shapes = {}
    for name, parents, body in re.findall(
        r"^(?:export )?interface (\w+)(?:<\w+>)?([^{]*)\{\n(.*?)^\}", text, re.M | re.S
    ):
        members = {}
        for line in body.split("\n"):
            method = re.match(r" {4}(\w+)(?:<[^>]*>)?\((.*)\): [^=]*;$", line)
            field = re.match(r" {4}(?:readonly )?(\w+)\??:", line)
            if method:
                parameters = re.sub(r"\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]|<[^<>]*>", "", method[2])
                needed = [one for one in parameters.split(",") if ":" in one and "?:" not in one and "..." not in one]
                members[method[1]] = len(needed)
            elif field:
                members[field[1]] = None
        shapes[name] = {**(shapes.get("Source", {}) if "Source" in parents else {}), **members}
    return values, shapes


MEMBERS = """(thing => {
    const found = {};
    for (let level = thing; level !== Object.prototype; level = Object.getPrototypeOf(level)) {
        for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
            if (name !== "constructor" && !name.startsWith("_")) {
                found[name] ??= typeof value === "function" ? value.length : null;
            }
        }
    }
    return found;
})"""


def test_types_are_those_of_the_module(theatre):
    """§2: submergence.d.ts names what there is, with as many parameters as there are."""
    values, shapes = declared()
    options = set(
        re.search(r"const defaults = \{(.*?)\};", MODULE.read_text(encoding="utf8"), re.S)[1].replace("\n", " ").split()
    )
    assert set(shapes["Options"]) == {word.rstrip(":") for word in options if word.endswith(":")}

    async def scenario(play):
        page = await play.open(live=False)
        assert set(await page.run("Object.keys(submergence)")) == values
        assert await page.run(f"{MEMBERS}(server)") == shapes["Server"]
        assert await page.run(f"{MEMBERS}(server.getPeer({{}}))") == shapes["Peer"]
        assert await page.run(f"{MEMBERS}(server.getPeer({{}}).channel('c'))") == shapes["PeerChannel"]

    theatre.play(scenario)


def test_nothing_is_made_of_text():
    """C-37 and before: no eval, no markup, no address of a third party; an export for each name of §2."""
    text = MODULE.read_text(encoding="utf8")
    for word in (
        "eval(",
        "new Function",
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "stun:",
        "turn:",
        "https://",
    ):
        assert word not in text, word
    assert not re.search(r"^import\b", text, re.M) and "import(" not in text


def test_it_stays_small():
    """Without comments and blank lines, as it is and compressed; and as nodes send it."""
    text = MODULE.read_text(encoding="utf8")
    kept = r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|/\*.*?\*/|(?<![:\w/])//[^\n]*"""
    code = re.sub(kept, lambda match: match[1] or "", text, flags=re.S)
    code = "\n".join(line.rstrip() for line in code.split("\n") if line.strip())
    assert len(code.encode()) <= 65_900
    assert len(gzip.compress(code.encode())) <= 18_400
    assert len(gzip.compress(text.encode())) <= 26_100
