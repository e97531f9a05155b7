"""What operators get (SPEC OP-2): a real Prometheus scrapes the nodes, and takes every alarm and panel of ours."""

import json
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
from processes import free_port, wait_for

PROJECT = pathlib.Path(__file__).resolve().parents[3]
ALERTS = PROJECT / "compose/prometheus/alerts.yml"
DASHBOARD = PROJECT / "compose/grafana/submergence.json"
OPERATIONS = (PROJECT / "docs/operations.md").read_text(encoding="utf8")
SERIES = re.compile(r"\bsubmergence_\w+")
HISTOGRAM = re.compile(r"_(?:bucket|sum|count)$")


def alarms():
    """Names and expressions, as they stand in the file."""
    text = ALERTS.read_text(encoding="utf8")
    return re.findall(r"- alert: (\w+)\n\s+expr: >-\n\s+(.+)\n", text)


def panels():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf8"))
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    return [target["expr"].replace("$instance", ".*") for target in targets]


class Prometheus:
    def __init__(self, folder, nodes):
        self.url = f"http://127.0.0.1:{free_port()}"
        targets = ", ".join(f'"127.0.0.1:{node.control_port}"' for node in nodes)
        configuration = folder / "prometheus.yml"
        configuration.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{ALERTS}']\n"
            f"scrape_configs: [{{job_name: submergence, static_configs: [{{targets: [{targets}]}}]}}]\n"
        )
        program = shutil.which("prometheus") or "/usr/bin/prometheus"
        command = [program, f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}"]
        command += [f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def get(self, path, **query):
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        return self.get("query", query=expression)["result"]

    def up(self):
        try:
            return {sample["metric"]["instance"]: sample["value"][1] for sample in self.query("up")}
        except OSError:
            return {}

    def end(self):
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture
def scraped(mongo, nodes, tmp_path):
    two = nodes.start(2, mongo=mongo)
    prometheus = Prometheus(tmp_path, two)
    yield prometheus, two
    prometheus.end()


def test_prometheus_scrapes_nodes(scraped):
    prometheus, (first, second) = scraped
    instances = {f"127.0.0.1:{node.control_port}" for node in (first, second)}
    wait_for("both nodes to be scraped", lambda: prometheus.up() == dict.fromkeys(instances, "1"))
    wait_for("both to be ready", lambda: len(prometheus.query("submergence_cluster_ready == 1")) == 2)
    wait_for("each to see the other", lambda: len(prometheus.query("submergence_cluster_nodes == 2")) == 2)

    (group,) = prometheus.get("rules")["groups"]
    assert [rule["name"] for rule in group["rules"]] == [name for name, _ in alarms()]
    for expression in panels():
        prometheus.query(expression)  # one that is wrong would be an error 400
    wait_for("the rules to be judged", lambda: all(rule["health"] == "ok" for rule in rules(prometheus)))

    second.kill()
    down = 'up{job="submergence"} == 0'
    wait_for("the dead node to be noticed", lambda: len(prometheus.query(down)) == 1)

    def pending():
        return [rule for rule in rules(prometheus) if rule["name"] == "SubmergenceNodeDown" and rule["alerts"]]

    wait_for("the alarm to be raised", pending)


def rules(prometheus):
    return prometheus.get("rules")["groups"][0]["rules"]


def test_alarms_and_dashboard_know_no_other_series_than_the_operations_page():
    documented = set(SERIES.findall(OPERATIONS.split("\n## Metrics\n")[1]))
    expressions = [expression for _, expression in alarms()] + panels()
    used = {HISTOGRAM.sub("", name) for expression in expressions for name in SERIES.findall(expression)}
    assert used and used <= documented, used - documented


def test_the_operations_page_explains_every_alarm_and_no_other():
    section = OPERATIONS.split("\n## Alarms\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [name for name, _ in alarms()]
