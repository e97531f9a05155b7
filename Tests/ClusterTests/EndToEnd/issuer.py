"""An identity provider: signs tokens, and publishes its keys. RS256 by OpenSSL, HS256 by Python."""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import subprocess
import threading
import time

ISSUER = "https://id.example"
AUDIENCE = "submergence"


def encode(data):
    data = json.dumps(data).encode() if not isinstance(data, bytes) else data
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def claims(user="alice", lifetime=600, **changes):
    now = time.time()
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": int(now), "exp": now + lifetime, **changes}
    return {name: value for name, value in found.items() if value is not None}


class SharedSecret:
    """A key for HS256."""

    algorithm = "HS256"

    def __init__(self, kid="shared"):
        self.kid = kid
        self._secret = secrets.token_bytes(32)

    @property
    def jwk(self):
        return {"kty": "oct", "kid": self.kid, "alg": "HS256", "k": encode(self._secret)}

    def sign(self, message):
        return hmac.new(self._secret, message, hashlib.sha256).digest()


class RSAKey:
    """A key for RS256."""

    algorithm = "RS256"

    def __init__(self, folder, kid):
        self.kid = kid
        self._path = folder / f"{kid}.pem"
        self._openssl("genrsa", "-out", self._path, "2048")
        shown = self._openssl("rsa", "-in", self._path, "-noout", "-modulus")
        self._modulus = bytes.fromhex(shown.decode().strip().partition("=")[2])

    @staticmethod
    def _openssl(*arguments, message=b""):
        done = subprocess.run(["openssl", *arguments], input=message, check=True, capture_output=True)
        return done.stdout

    @property
    def jwk(self):
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": encode(self._modulus), "e": "AQAB"}

    def sign(self, message):
        return self._openssl("dgst", "-sha256", "-sign", self._path, message=message)


def token(key, payload=None, **header):
    fields = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT", **header}
    message = f"{encode(fields)}.{encode(payload or claims())}"
    return f"{message}.{encode(key.sign(message.encode()))}"


class KeyServer:
    """Publishes a key set at an address, and counts who asks."""

    def __init__(self, *keys, certificate=None):
        self.keys = list(keys)
        self.requests = 0
        self.is_broken = False
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.requests += 1
                body = b"<html>" if owner.is_broken else json.dumps({"keys": [key.jwk for key in owner.keys]}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """Whoever does not trust the certificate has gone."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        if certificate:
            certificate.protect(self._server)
            self.url = f"https://localhost:{self._server.server_port}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
