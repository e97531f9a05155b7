"""The proxy: its configurations have one source, nginx takes them, and docs/nginx.md shows them (SPEC TR-3)."""

import os
import re
import subprocess
import textwrap

import pytest
from processes import PROJECT, SCRIPTS, executable

REFERENCE = PROJECT / "docs/nginx.conf"
COMPOSE = PROJECT / "compose/nginx.conf"
BLOCKS = re.findall(r"```nginx\n(.*?)```", (PROJECT / "docs/nginx.md").read_text(encoding="utf8"), re.DOTALL)
INSTEAD = re.compile(r"# in place of: (.+)\n")


def printed(*arguments):
    command = [SCRIPTS / "nginx-config.sh", *arguments]
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout


def test_the_files_are_what_the_script_prints():
    assert REFERENCE.read_text(encoding="utf8") == printed("--reference")
    assert COMPOSE.read_text(encoding="utf8") == printed("--compose")


@pytest.fixture(scope="module")
def accepts(tmp_path_factory):
    """Has nginx check a configuration, whose paths and names are made ones that are there."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "tmp").mkdir()
    files = [folder / "certificate.pem", folder / "certificate.key"]
    certificate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    certificate += ["-subj", "/CN=localhost", "-out", files[0], "-keyout", files[1]]
    subprocess.run(certificate, check=True, capture_output=True)

    def check(text):
        for old, new in [
            ("/run/nginx.pid", f"{folder}/nginx.pid"),
            ("/tmp/nginx.pid", f"{folder}/nginx.pid"),
            ("/var/log/nginx/error.log", f"{folder}/error.log"),
            ("/etc/ssl/app.example/fullchain.pem", str(files[0])),
            ("/etc/ssl/app.example/key.pem", str(files[1])),
            ("/secrets/certificate", f"{folder}/certificate"),
        ]:
            text = text.replace(old, new)
        text = re.sub(r"\bnode[123]:8080", "127.0.0.1:8080", text)  # names of containers
        # Ports that anybody may listen on, and no IPv6, which not every machine has.
        text = re.sub(
            r"listen (\[::\]:)?(\d+)(?= |;)", lambda m: f"listen 127.0.0.{2 if m[1] else 3}:{int(m[2]) + 18000}", text
        )
        (folder / "nginx.conf").write_text(text, encoding="utf8")
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        command = ["nginx", "-t", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert "[emerg]" not in done.stderr

    return check


@pytest.mark.parametrize("name", ["reference", "compose", "development"])
def test_nginx_takes_it(accepts, name):
    accepts(printed("18080", "18081", "18082") if name == "development" else printed(f"--{name}"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_the_page_shows_what_is_in_the_reference(accepts, block):
    reference = REFERENCE.read_text(encoding="utf8")
    instead = INSTEAD.match(block)
    if instead:
        line = instead.group(1)
        assert line in reference
        accepts(reference.replace(line, block[instead.end() :], 1))
    else:
        shown = [line.strip() for line in textwrap.dedent(block).strip().split("\n")]
        lines = [line.strip() for line in reference.split("\n")]
        places = [start for start in range(len(lines)) if lines[start : start + len(shown)] == shown]
        assert places, f"docs/nginx.conf has no such lines: {shown}"


def test_the_page_names_the_heartbeat_that_nodes_have():
    text = (PROJECT / "docs/nginx.md").read_text(encoding="utf8")
    helped = subprocess.run([executable(), "serve", "--help"], capture_output=True, text=True, check=True).stdout
    assert "pings every 10 s and waits 10 s" in text
    assert re.search(r"--ping-interval.*?10000", helped, re.DOTALL)
    hour = re.search(r"proxy_read_timeout (\d+)h;", REFERENCE.read_text(encoding="utf8"))
    assert int(hour.group(1)) * 3600 > 20
