"""A chat with presence and video calls, in Flask: sockets, sessions and signalling are submergence's (README.md)."""

import hashlib
import hmac
import os
import threading
import time
from urllib.parse import unquote

import requests
from flask import Flask, Response, abort, redirect, render_template, request
from werkzeug.security import check_password_hash, generate_password_hash

# As browsers see them. Hooks come by another name: what Flask finds in their URL is no address for a redirect.
SITE = os.environ.get("SITE", "http://localhost:8080/")
LOGIN = os.environ.get("LOGIN", "http://localhost:5000/login")
CONTROL = os.environ.get("SUBMERGENCE_CONTROL", "http://127.0.0.1:9080")
KEY = os.environ.get("SUBMERGENCE_KEY")
SECRETS = os.environ["SUBMERGENCE_WEBHOOK_SECRET"].split()

# Whoever has an account. A real application keeps them in a database.
PEOPLE = {name: generate_password_hash(name + "-secret", "pbkdf2:sha256:20000") for name in ("alice", "bob", "carol")}

app = Flask(__name__)
lock = threading.Lock()
history = []  # the last 50 messages
seen = {}  # user: the sequence of the last change of presence


# ---- To people: the control API


def control(path, **body):
    headers = {"authorization": f"Bearer {KEY}"} if KEY else {}
    answer = requests.post(f"{CONTROL}/v1/{path}", json=body, headers=headers, timeout=5)
    answer.raise_for_status()
    return answer.json()


def tell_everybody(*event):
    control("event", users=list(PEOPLE), event=event)


# ---- From people: webhooks


def is_signed(headers, body):
    """Whether one of our secrets has signed it, within the last five minutes (docs/webhooks.md, "Signature")."""
    try:
        lines = [f"{name.lower()}:{value}" for name, value in headers.items()]
        fields = sorted(line for line in lines if line.startswith("x-submergence-") and "-signature:" not in line)
        text = "\n".join([*fields, hashlib.sha256(body).hexdigest()]).encode()
        given = dict(part.split("=") for part in headers["X-Submergence-Signature"].split(","))
        is_fresh = abs(time.time() - int(headers["X-Submergence-Timestamp"])) <= 300
    except (KeyError, ValueError):
        return False
    return is_fresh and any(
        hmac.compare_digest(
            hmac.new(secret.encode(), text, hashlib.sha256).hexdigest(),
            given.get(hashlib.sha256(secret.encode()).hexdigest()[:8], ""),
        )
        for secret in SECRETS
    )


class Requester:
    """Who asks, by the signed fields."""

    def __init__(self, headers):
        self.user = unquote(headers.get("X-Submergence-User", "")) or None
        self.is_active = headers["X-Submergence-Active"] == "true"
        self.is_domestic = headers["X-Submergence-Domestic"] == "true"


@app.post("/hooks")
def hooks():
    if not is_signed(request.headers, request.get_data()):
        abort(403)
    kind = request.headers["X-Submergence-Kind"]
    requester, body = Requester(request.headers), request.get_json()
    if kind == "action":
        method, path = request.headers["X-Submergence-Method"], unquote(request.headers["X-Submergence-Action"])
        return ACTIONS[method, path](requester, body)
    return {"presence": presence, "liveConnection": live_connection, "peerRequest": peer_request}[kind](requester, body)


def presence(_, change):
    """People come and go. A change that is not newer than the last one is a repetition."""
    with lock:
        if change["sequence"] <= seen.get(change["user"], 0):
            return {}
        seen[change["user"]] = change["sequence"]
    if change["change"] in ("userOnline", "userOffline"):
        tell_everybody("presence", change["user"], change["change"] == "userOnline")
    return {}


def live_connection(*_):
    """What a page has to know at once."""
    found = control("active", users=list(PEOPLE))["users"]
    with lock:
        return {"events": [["people", {one["user"]: one["active"] for one in found}], ["history", list(history)]]}


def peer_request(requester, body):
    """Whoever has an account may call whoever has one."""
    other = body["query"].get("user") if isinstance(body["query"], dict) else None
    if requester.user not in PEOPLE or other not in PEOPLE or other == requester.user:
        return {"allow": False}
    return {"allow": True, "user": other, "info": {"user": requester.user}}


def page(template):
    def show(requester, call):
        if not requester.is_active:
            return {"redirect": LOGIN}
        other = call["params"].get("user")
        if other is not None and other not in PEOPLE:
            return {"status": 404, "content": {"error": "USER"}}
        return {"html": render_template(template, me=requester.user, other=other)}

    return show


def post_message(requester, call):
    # Another site's page could make the browser send this, but not with the proof.
    if not (requester.is_active and requester.is_domestic):
        return {"status": 403, "content": {"error": "DOMESTIC"}}
    text = str(call.get("body", {}).get("text", ""))[:500].strip()
    if not text:
        return {"status": 400, "content": {"error": "TEXT"}}
    message = {"from": requester.user, "text": text}
    with lock:
        history.append(message)
        del history[:-50]
    tell_everybody("message", message)
    return {"status": 201}


def log_out(requester, _):
    if not requester.is_domestic:
        return {"status": 403, "content": {"error": "DOMESTIC"}}
    return {"agent": {"set": "logout"}, "redirect": LOGIN}


ACTIONS = {
    ("GET", "/"): page("chat.html"),
    ("GET", "/call/:user"): page("call.html"),
    ("POST", "/messages"): post_message,
    ("POST", "/logout"): log_out,
}


# ---- Logging in: a page of Flask's own, and a session from the control API


@app.get("/login")
def login_page():
    return render_template("login.html", error=None)


@app.post("/login")
def log_in():
    # Another site's page must not log its visitor in as somebody else.
    if request.headers.get("Origin") not in (None, request.host_url.rstrip("/")):
        abort(403)
    name = request.form.get("name", "")
    # Of nobody's name a password is checked, too: how long it takes does not tell who has an account.
    is_right = check_password_hash(PEOPLE.get(name, PEOPLE["alice"]), request.form.get("password", ""))
    if name not in PEOPLE or not is_right:
        return render_template("login.html", error="That is no name, or not its password."), 403
    session = control("sessions", user=name, client=request.form.get("device", "browser"))
    response: Response = redirect(SITE, 303)
    for cookie in session["cookies"]:
        response.headers.add("Set-Cookie", cookie)
    return response
