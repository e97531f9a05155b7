"""A backend that gets webhooks: checks every signature by itself, keeps what came, and answers as a test wants."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from urllib.parse import unquote

from people import AT_ONCE
from processes import Node

SECRET = "whsec-" + "s" * 32
OTHER = "whsec-" + "o" * 32


def key_id(secret):
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def signatures(headers):
    """By their keys."""
    return dict(part.split("=") for part in headers["x-submergence-signature"].split(","))


def is_signed(headers, body, secret, window=300):
    """As docs/webhooks.md describes it."""
    lines = [f"{name.lower()}:{value}" for name, value in headers.items()]
    signed = [line for line in lines if line.startswith("x-submergence-") and "-signature:" not in line]
    digest = "streamed" if headers.get("x-submergence-body") == "streamed" else hashlib.sha256(body).hexdigest()
    text = "\n".join([*sorted(signed), digest])
    code = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    age = abs(time.time() - int(headers["x-submergence-timestamp"]))
    return age < window and hmac.compare_digest(signatures(headers).get(key_id(secret), ""), code)


class Request:
    def __init__(self, headers, body):
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.raw = body
        self.at = time.monotonic()

    def __getitem__(self, name):
        """A field of the product's own; None where there is none."""
        value = self.headers.get(f"x-submergence-{name}")
        return None if value is None else unquote(value)

    @property
    def body(self):
        return json.loads(self.raw)

    @property
    def call(self):
        """What describes a streamed action."""
        text = self.headers["x-submergence-call"]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    def __repr__(self):
        return f"{self['kind']} {self['action']} {self['user']} {self['sequence']} {self.raw[:200]}"


class Receiver:
    """`answers[kind]` is given a request and returns a body (an object, bytes or None) or (status, body, headers)."""

    def __init__(self, secret=SECRET, certificate=None):
        self.requests = []
        self.unsigned = []
        self.answers = {}
        self._changed = threading.Condition()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer()

            def do_POST(self):
                self.answer()

            def answer(self):
                body = self.read()
                request = Request(self.headers, body)
                if not is_signed(request.headers, body, secret):
                    owner.unsigned.append(request)
                with owner._changed:
                    owner.requests.append(request)
                    owner._changed.notify_all()
                found = owner.answers.get(request["kind"])
                found = found(request) if found else None
                status, body, headers = found if isinstance(found, tuple) else (200, found, {})
                if not isinstance(body, bytes):
                    body = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def read(self):
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                pieces = []
                while size := int(self.rfile.readline(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_):
                """Whoever asked has gone: that is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hooks"
        if certificate:
            certificate.protect(self._server)
            self.url = f"https://localhost:{self.port}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def of(self, kind):
        return [request for request in self.requests if request["kind"] == kind]

    def until(self, condition, seconds=30):
        """Waits until the condition, which is given this receiver, is true; returns its value."""
        end = time.monotonic() + seconds
        with self._changed:
            while not (value := condition(self)):
                left = end - time.monotonic()
                assert left > 0, self.requests[-5:]
                self._changed.wait(left)
        return value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


ACTIONS = ["POST /login", "POST /logout", "GET /me", "POST /posts/:id", "* /any/*", "GET ~/p/[0-9]+"]
HOOKS = ["peerRequest", "liveConnection", "presence"]
# All addresses that localhost may have.
PRIVATE = ["--webhook-private-target", "127.0.0.0/8", "--webhook-private-target", "::1/128"]


def options(receiver, *more, actions=ACTIONS, hooks=HOOKS):
    flags = ["--webhook", receiver.url, *PRIVATE, *AT_ONCE, *more]
    flags += [part for action in actions for part in ("--webhook-action", action)]
    return flags + [part for hook in hooks for part in ("--webhook-hook", hook)]


class Backend:
    """A node and what it asks."""

    def __init__(self, folder, *more, mongo=None, environment=None, receiver=None, **choices):
        self.receiver = receiver or Receiver()
        environment = {"SUBMERGENCE_WEBHOOK_SECRET": SECRET, **(environment or {})}
        self.node = Node(folder, "node-1", "serve", mongo, options(self.receiver, *more, **choices), environment)
        self.environment = environment

    def __enter__(self):
        try:
            self.node.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.node.stop()
        self.receiver.__exit__()

    def results(self, kind, result):
        return self.node.metric(f'submergence_webhook_requests_total{{kind="{kind}",result="{result}"}}')
