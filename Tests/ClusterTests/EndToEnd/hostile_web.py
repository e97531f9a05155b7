"""A small web of good and bad: the application behind nginx with TLS, and the hosts that attack it.

`app.example` is the application's: nginx with the rules of docs/nginx.conf, in front of one node in production mode.
`evil.app.example` is a sibling, for browsers the same site, so cookies flow; `attacker.example` is another one. Every
name leads to this machine, by Chromium's own resolver; the certificates are made for the run."""

import asyncio
import base64
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import ssl
import subprocess
import urllib.request

from aiohttp import web
from certificates import Certificate
from chromium import Chromium
from processes import PROJECT, executable, free_port, wait_for

APP = "https://app.example"
SIBLING = "https://evil.app.example"
ATTACKER = "https://attacker.example"
OTHER_PORT = "https://app.example:8443"
PLAIN = "http://app.example"
NAMES = ["app.example", "*.app.example", "other.example", "attacker.example", "board.example"]


class TLSNginx:
    """nginx with the reference configuration of production: only names, ports and paths are put in."""

    def __init__(self, folder, ports, certificate, changes=()):
        """`changes`: further replacements, pairs of texts."""
        self.port, self.plain_port = free_port(), free_port()
        self._folder = pathlib.Path(folder) / f"tls-nginx-{self.port}"
        (self._folder / "tmp").mkdir(parents=True)
        text = (PROJECT / "docs/nginx.conf").read_text(encoding="utf8")
        lines = [line for line in text.split("\n") if "[::]" not in line]
        addresses = [number for number, line in enumerate(lines) if line.strip().startswith("server 10.0.0.")]
        lines[addresses[0] : addresses[-1] + 1] = [f"        server 127.0.0.1:{port};" for port in ports]
        text = "\n".join(lines)
        user = f"user {_name_of_user()};" if os.geteuid() == 0 else ""
        paths = "".join(
            f"    {name}_temp_path tmp/{name.split('_')[0]};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        replacements = [
            ("user www-data;", f"{user}\ndaemon off;"),
            ("worker_processes auto;", "worker_processes 1;"),
            ("worker_rlimit_nofile 200000;", ""),
            ("worker_connections 65536;", "worker_connections 1024;"),
            ("pid /run/nginx.pid;", "pid nginx.pid;"),
            ("error_log /var/log/nginx/error.log warn;", "error_log error.log warn;"),
            ("http {\n", "http {\n" + paths),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("listen 80", f"listen 127.0.0.1:{self.plain_port}"),
            ("/etc/ssl/app.example/fullchain.pem", str(certificate.chain)),
            ("/etc/ssl/app.example/key.pem", str(certificate.key)),
            *changes,
        ]
        for old, new in replacements:
            assert old in text, f"docs/nginx.conf no longer has: {old}"
            text = text.replace(old, new)
        (self._folder / "nginx.conf").write_text(text, encoding="utf8")
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        with open(self._folder / "start.log", "wb") as log:
            self.process = subprocess.Popen(
                ["nginx", "-p", f"{self._folder}/", "-c", "nginx.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        wait_for("nginx to listen", lambda: _listens(self.process, self.port, self._folder / "start.log"))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def _name_of_user():
    import grp
    import pwd

    return f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"


def _listens(process, port, log):
    assert process.poll() is None, log.read_text(errors="replace")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Bank:
    """The program Tests/Bank: in production mode for `domains`, else in development mode. `more` is added to its
    environment."""

    def __init__(self, folder, domains=(), more=None):
        self.port, self.control_port = free_port(), free_port()
        folder = pathlib.Path(folder)
        keys = folder / f"keys-{self.port}"
        keys.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
        keys.chmod(0o600)
        environment = {"SUBMERGENCE_PORT": str(self.port), "SUBMERGENCE_CONTROL_PORT": str(self.control_port)}
        if domains:
            environment |= {"BANK_DOMAINS": ",".join(domains), "BANK_KEYS": str(keys)}
        self._host = domains[0] if domains else "localhost"
        self._log = folder / f"bank-{self.port}.log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [pathlib.Path(executable()).with_name("Bank")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment, **(more or {})},
            )
        try:
            wait_for("the bank to listen", lambda: _listens(self.process, self.port, self._log))
        except BaseException:
            self.end()
            raise

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def request(self, method, target, headers=(), body=None, host=None, source=None):
        """As the proxy would send it, but for the header fields given, which are pairs."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=20, source_address=(source, 0) if source else None
        )
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            fields = [("host", host or self._host), ("x-forwarded-proto", "https"), *headers]
            if body is not None:
                fields.append(("content-length", str(len(body))))
            for name, value in fields:
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def effects(self):
        """What was done so far, all of it."""
        _, body = self.request("GET", "/ledger")
        return json.loads(body)["content"]["entries"]

    def log_in(self, user, device="laptop", host=None, headers=()):
        """The cookies of a login of no browser, by name."""
        body = json.dumps({"user": user, "device": device}).encode()
        fields = [("content-type", "application/json"), *headers]
        response, text = self.request("POST", "/login", fields, body, host=host)
        assert response.status == 200, text
        pairs = [line.split(";")[0].split("=", 1) for line in response.headers.get_all("set-cookie")]
        return {name: value for name, value in pairs if value}

    def counted(self, counter):
        """The value of one counter, named as the metrics have it, labels and all; 0 before its first time."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control_port}/metrics", timeout=10) as response:
            lines = response.read().decode().split("\n")
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == counter)


class AttackServer:
    """Serves an empty page for every host, with TLS and without, and remembers what it was told."""

    def __init__(self):
        self.port, self.plain_port = free_port(), free_port()
        self.told = []

    async def start(self, certificate):
        application = web.Application()
        application.router.add_get("/tell", self._tell)
        application.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context).start()
        await web.TCPSite(self._runner, "127.0.0.1", self.plain_port).start()
        return self

    async def end(self):
        await self._runner.cleanup()

    async def _page(self, request):
        """`cookie`: a `Set-Cookie` line; `referrer`: the page's policy. Both may be absent, `cookie` repeated."""
        answer = web.Response(
            text="<!doctype html><meta charset=utf-8><title>win a prize</title>", content_type="text/html"
        )
        for line in request.query.getall("cookie", []):
            answer.headers.add("Set-Cookie", line)
        if "referrer" in request.query:
            answer.headers["Referrer-Policy"] = request.query["referrer"]
        return answer

    async def _tell(self, request):
        self.told.append(request.query_string)
        return web.Response(text="")


class Stage:
    """Everything that runs for one file of tests. The browser has a context, and so a cookie jar, for each person."""

    @classmethod
    async def up(cls, folder):
        stage = cls()
        stage.folder = pathlib.Path(folder)
        stage.people = 0
        stage.certificate = Certificate(stage.folder, NAMES)
        stage.bank = Bank(stage.folder, ["app.example", "other.example"])
        stage.development = Bank(stage.folder)
        stage.nginx = TLSNginx(stage.folder, [stage.bank.port], stage.certificate)
        stage.attacker = await AttackServer().start(stage.certificate)
        hosts = {
            "app.example:443": stage.nginx.port,
            "app.example:80": stage.attacker.plain_port,
            "app.example:8443": stage.attacker.port,
            "evil.app.example:443": stage.attacker.port,
            "attacker.example:443": stage.attacker.port,
            "attacker.example:80": stage.attacker.plain_port,
            "rebind.example:443": stage.nginx.port,
            "rebind.example:80": stage.nginx.plain_port,
            f"rebind.example:{stage.bank.port}": stage.bank.port,
            f"rebind.example:{stage.development.port}": stage.development.port,
        }
        stage.browser = await Chromium.among(hosts, stage.certificate.fingerprint).__aenter__()
        return stage

    async def down(self):
        await self.browser.__aexit__()
        await self.attacker.end()
        self.nginx.end()
        self.development.end()
        self.bank.end()

    async def person(self, address=APP, logged_in=True):
        """Somebody with a browser of their own, on the application's page."""
        self.people += 1
        person = Person(self, f"person-{self.people}", await self.browser.open(address + "/"))
        if logged_in:
            await person.log_in()
        return person


class Person:
    def __init__(self, stage, user, home):
        self.stage, self.user, self.home = stage, user, home
        self.proof = ""

    async def log_in(self, user=None):
        self.user = user or self.user
        who = json.dumps({"user": self.user, "device": "laptop"})
        status = await self.home.run(
            f"fetch('/login', {{method: 'POST', body: {json.dumps(who)},"
            " headers: {'content-type': 'application/json'}})"
            ".then(answer => answer.status)"
        )
        assert status == 200
        self.proof = await self.home.run("document.cookie.match(/domestic=([^;]*)/)[1]")

    async def open(self, url):
        """Another window of the same browser profile."""
        return await self.stage.browser.open(url, beside=self.home)

    async def seen_as(self):
        """Who the application takes this browser for."""
        return await self.home.run("fetch('/me').then(answer => answer.json()).then(answer => answer.content)")


class Attempt:
    """`async with Attempt(bank, counter)`: what happens inside has no effect at the server, and is counted there.

    `counter` is None where the browser itself refuses, and nothing reaches the node. `effects` are the ledger's entries
    that are wanted, for the same thing done rightly."""

    def __init__(self, bank, counter, times=1, effects=()):
        self.bank, self.counter, self.times, self.effects = bank, counter, times, list(effects)

    async def __aenter__(self):
        self._effects = self.bank.effects()
        self._counted = self.bank.counted(self.counter) if self.counter else 0
        return self

    async def __aexit__(self, kind, *_):
        if kind:
            return
        if self.counter:
            await eventually(f"{self.counter} to count", self._is_counted)
        if self.effects:
            await eventually(f"{self.effects} to happen", lambda: len(self.bank.effects()) > len(self._effects))
        done = [entry for entry in self.bank.effects()[len(self._effects) :]]
        assert [(entry["kind"], entry["detail"]) for entry in done] == self.effects

    def _is_counted(self):
        return self.bank.counted(self.counter) >= self._counted + self.times


async def eventually(what, condition, seconds=20):
    """As wait_for, but lets this process' own server answer meanwhile."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
