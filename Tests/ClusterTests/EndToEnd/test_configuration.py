"""The configuration file, the environment, `check`, `--print-config` and SIGHUP (SPEC OP-1, docs/configuration.md)."""

import json
import os
import pathlib
import re
import signal

import pytest
import requests
from certificates import Certificate
from processes import PROJECT, Node, free_port, wait_for
from test_control import command

BROKEN = sorted((pathlib.Path(__file__).parent / "configurations").glob("*.yaml"))
EXAMPLE = PROJECT / "docs/submergence.example.yaml"


def environment(**variables):
    """Ours, without settings that somebody has at home."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SUBMERGENCE_")}
    return {**own, **variables}


def check(*arguments, **variables):
    status, out, errors = command("check", "--json", *arguments, environment=environment(**variables))
    assert errors == "" and status in (0, 78), errors
    return status, json.loads(out)


def place(mistake):
    where = mistake["place"]
    return f"{where['line']}:{where['column']}" if "line" in where else where.get("flag") or where.get("variable")


def values(report):
    return {row["key"]: (row.get("value"), row["from"], row["place"]) for row in report["settings"]}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda path: path.stem)
def test_every_mistake_is_named_at_its_place(broken, tmp_path):
    """OP-1: all mistakes of a file at once, each with line, column, setting, cause and remedy; and no others."""
    keys = tmp_path / "keys"
    keys.write_text("A" * 43 + "\n", encoding="utf8")
    keys.chmod(0o600)
    text = broken.read_text(encoding="utf8").replace("KEYS", str(keys))
    (tmp_path / broken.name).write_text(text, encoding="utf8")
    expected = re.findall(r"^# mistake (\S+) (\S+) (.*)$", text, re.MULTILINE)
    needs = [] if re.search("domain|dev:|nothing", text) or broken.stem == "nothing" else ["--dev"]
    status, report = check("--config", tmp_path / broken.name, *needs)
    assert status == 78
    found = {(place(mistake), mistake.get("key", "-")): mistake for mistake in report["mistakes"]}
    wanted = {(where, "-" if key == "-" else key) for where, key, _ in expected}
    assert {(where, key if (where, key) in wanted else "-") for where, key in found} == wanted, report["mistakes"]
    for where, key, words in expected:
        mistake = next(m for (w, k), m in found.items() if w == where and key in ("-", k))
        told = f"{mistake['what']}: {mistake['why']}. {mistake['remedy']}"
        for part in words.split(" | "):
            assert part in told
        assert mistake["why"] and mistake["remedy"].endswith((".", "?"))
    assert "sesame" not in json.dumps(report)


def test_serve_tells_the_same_and_does_not_start(tmp_path):
    broken = next(path for path in BROKEN if path.stem == "out-of-range")
    status, out, errors = command("serve", "--dev", "--config", broken, environment=environment())
    assert status == 78 and out == ""
    for line in (6, 8, 9, 11):
        assert f"{broken}:{line}:" in errors
    status, _, errors = command("serve", "--dev", environment=environment(SUBMERGENCE_PING_INTERVALL="1s"))
    assert status == 78 and "SUBMERGENCE_PING_INTERVAL?" in errors
    missing = tmp_path / "missing.yaml"
    status, _, errors = command("serve", "--dev", "--config", missing, environment=environment())
    assert status == 78 and str(missing) in errors and "there is no such file" in errors


def test_flags_win_over_the_environment_over_the_file_over_defaults(tmp_path):
    file = tmp_path / "node.yaml"
    file.write_text(
        "node: { dev: true }\nlisten: { port: 8001, host: 127.0.0.2, public-port: [1, 2] }\nping:\n  interval: 20s\n",
        encoding="utf8",
    )
    variables = {
        "SUBMERGENCE_CONFIG": str(file),
        "SUBMERGENCE_PORT": "8002",
        "SUBMERGENCE_HOST": "127.0.0.3",
        "SUBMERGENCE_TRUSTED_PROXY": "10.0.0.0/8 127.0.0.0/8",
        "SUBMERGENCE_TURN_SECRET": "sesame-sesame-sesame",
        "SUBMERGENCE_MONGODB": "mongodb://node:sesame@db1/?replicaSet=rs0",
    }
    flags = ("--port", 8003, "--public-port", 3, "--turn-url", "turn:turn.example")
    status, report = check(*flags, **variables)
    assert status == 0, report["mistakes"]
    found = values(report)
    assert found["listen.port"] == ("8003", "flag", {"flag": "--port"})
    assert found["listen.host"] == ("127.0.0.3", "environment", {"variable": "SUBMERGENCE_HOST"})
    assert found["ping.interval"] == ("20s", "file", {"file": str(file), "line": 4, "column": 3})
    assert found["ping.timeout"] == ("10s", "default", {})
    assert found["listen.public-port"][0] == "[3]"
    assert found["listen.trusted-proxy"][0] == "[10.0.0.0/8, 127.0.0.0/8]"
    assert found["mongodb.uri"][0] == "<hidden>" and found["ice.turn-secret-file"][0] == "<hidden>"
    text = command("check", *flags, environment=environment(**variables))[1]
    assert f"ping.interval: 20s  ({file}:4)" in text and "sesame" not in text + json.dumps(report)
    printed = command("serve", *flags, "--print-config", environment=environment(**variables))
    assert printed[0] == 0 and "sesame" not in printed[1] + printed[2] and "uri: <hidden>" in printed[1]


def test_a_printed_configuration_can_be_fed_back(tmp_path):
    arguments = (
        *("--dev", "--port", 8100, "--ping-interval", 1500, "--slot-size", 4, "--log-presence", "here.jsonl"),
        *("--mongodb", "mongodb://router/?directConnection=false", "--cors-origin", "https://*.app.example"),
        *("--recovery", 120, "--trace", 0.25, "--name", 'a "name": # 1', "--public-port", 80, "--public-port", 81),
    )
    status, printed, errors = command("serve", *arguments, "--print-config", environment=environment())
    assert status == 0, errors
    file = tmp_path / "printed.yaml"
    file.write_text(printed, encoding="utf8")
    again = command("serve", "--config", file, "--print-config", environment=environment())
    assert again[0] == 0, again[2]

    def settings(text):
        return re.sub(r"  # \S.*$", "", text, flags=re.MULTILINE)

    assert settings(again[1]) == settings(printed)
    assert "  slot-size: 4MiB" in printed and "  interval: 1500ms" in printed and "  recovery: 2m" in printed


def test_the_example_is_in_order(tmp_path):
    """docs/submergence.example.yaml, with its files made."""
    text = EXAMPLE.read_text(encoding="utf8")
    for name, content in [("signing-keys", "A" * 43), ("mongodb-uri", "mongodb://db1/"), ("control-keys", "# none")]:
        (tmp_path / name).write_text(content + "\n", encoding="utf8")
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "submergence.yaml"
    file.write_text(text, encoding="utf8")
    status, report = check("--config", file)
    assert status == 0, report["mistakes"]
    # What is commented out is in order as well.
    file.write_text(re.sub(r"^( *)#(?=[a-z])", r"\1", text, flags=re.MULTILINE), encoding="utf8")
    status, report = check("--config", file)
    assert [mistake for mistake in report["mistakes"] if "unknown" in mistake["what"]] == []


def test_authorities_are_looked_at(tmp_path):
    """OP-1: a file of certificates that holds none, by flag, variable and file; one that does is no mistake."""
    authority = Certificate(tmp_path, ["localhost"]).authority
    other = tmp_path / "other.pem"
    other.write_text("no certificate\n", encoding="utf8")
    file = tmp_path / "node.yaml"
    file.write_text("outbound: { ca: other.pem }\n", encoding="utf8")
    for arguments, variables, where in (
        (["--outbound-ca", other], {}, "--outbound-ca"),
        ([], {"SUBMERGENCE_OUTBOUND_CA": str(other)}, "SUBMERGENCE_OUTBOUND_CA"),
        (["--config", file], {}, "1:13"),
    ):
        status, report = check("--dev", *arguments, **variables)
        (mistake,) = report["mistakes"]
        assert status == 78 and mistake["key"] == "outbound.ca" and place(mistake) in (where, where.strip("-"))
        assert str(other) in mistake["what"] and "no certificate as PEM text" in mistake["why"]
    status, report = check("--dev", "--outbound-ca", authority)
    assert status == 0 and values(report)["outbound.ca"][0] == str(authority)
    status, _, errors = command("serve", "--dev", "--outbound-ca", other, environment=environment())
    assert status not in (0, None) and str(other) in errors


RELOADABLE = """
node: {{ dev: true }}
listen: {{ port: {port} }}
control: {{ port: {control} }}
log: {{ level: {level}, format: json }}
limits: {{ accept-rate: {rate}, max-sockets-per-address: {sockets} }}
ping: {{ interval: {ping} }}
"""


class Configured(Node):
    """A node that is told everything by its file."""

    def __init__(self, folder):
        self.file = pathlib.Path(folder) / "node.yaml"
        super().__init__(folder, "configured", "serve")

    def start(self, options=(), environment=None):
        self.write()
        self._arguments = [self._arguments[0], "serve", "--config", str(self.file)]
        super().start(options, environment)

    def write(self, level="info", rate=1000, sockets=0, ping="25s"):
        text = RELOADABLE.format(
            port=self.port, control=self.control_port, level=level, rate=rate, sockets=sockets, ping=ping
        )
        self.file.write_text(text, encoding="utf8")

    def lines(self):
        """The log, as far as whole lines of JSON."""
        return [json.loads(line) for line in self.log().split("\n")[:-1] if line.startswith("{")]

    def reloads(self, result):
        return self.metric(f'submergence_config_reloads_total{{result="{result}"}}')

    def reload(self, result):
        before = self.reloads(result)
        self.process.send_signal(signal.SIGHUP)
        wait_for(f"a reload that is {result}", lambda: self.reloads(result) == before + 1)


def handshake(node):
    query = {"EIO": 4, "transport": "polling"}
    # As through a proxy: loopback itself is nobody's address.
    source = {"x-forwarded-for": "203.0.113.9"}
    return requests.get(f"{node.url}/socket.io/", params=query, headers=source, timeout=10).status_code


def test_sighup_applies_what_can_change(tmp_path):
    node = Configured(tmp_path)
    try:
        node.wait_until_ready()
        assert [handshake(node) for _ in range(3)] == [200, 200, 200]
        assert {line["level"] for line in node.lines()}.isdisjoint({"debug", "trace"})

        # Two sockets of one address: whoever was let in before is not counted.
        node.write(sockets=2, level="debug")
        node.reload("applied")
        assert [handshake(node) for _ in range(3)] == [200, 200, 429]
        told = node.lines()[-1]
        assert told["message"] == "configuration reloaded" and told["level"] == "notice"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])

        # A broken file changes nothing, and says so with its line.
        node.file.write_text(
            node.file.read_text(encoding="utf8").replace("per-address: 2", "per-adress: 9"), encoding="utf8"
        )
        node.reload("refused")
        error = node.lines()[-1]
        assert error["level"] == "error" and error["place"].startswith(f"{node.file}:6:")
        assert "limits.max-sockets-per-address?" in error["error"]
        assert handshake(node) == 429

        # What cannot change is named; the rest is applied all the same.
        node.write(sockets=0, ping="30s")
        node.reload("restart_needed")
        late = [line["key"] for line in node.lines() if "needs a restart" in line["message"]]
        assert late == ["ping.interval"]
        assert handshake(node) == 200
    finally:
        assert node.stop() == 0


def test_a_broken_file_before_the_start_names_its_lines_in_plain_words(tmp_path):
    node_port = free_port()
    file = tmp_path / "node.yaml"
    file.write_text(f"listen:\n  port: {node_port}\n  domian: app.example\n", encoding="utf8")
    status, out, _ = command("check", "--config", file, environment=environment())
    assert status == 78
    assert f"{file}:3:3: listen.domian is unknown: there is no such key. Did you mean listen.domain?" in out
