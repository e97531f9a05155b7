"""A replica set of one as in production: TLS only, every user authenticated, rights as `init-db --print-roles` says."""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile

import pymongo
from processes import SCRIPTS, executable, free_port, wait_for

sys.path.insert(0, str(SCRIPTS / "mongo"))
import programs  # noqa: E402  (found by the line before)

CREATE_ROLE = re.compile(r"db\.createRole\((\{.*?\n\] \})\)", re.DOTALL)
KEY = re.compile(r"(\w+): ")
TRAILING_COMMA = re.compile(r",(\s*\])")


class SecuredMongo:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="submergence-secured-", ignore_cleanup_errors=True)
        self.folder = self._folder.name
        self._port = free_port()
        self._certificates()
        key_file = os.path.join(self.folder, "key-file")
        with open(os.open(key_file, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(base64.b64encode(secrets.token_bytes(96)).decode())
        os.mkdir(os.path.join(self.folder, "data"))
        command = [programs.find_mongod(), "--port", str(self._port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        command += ["--dbpath", os.path.join(self.folder, "data"), "--logpath", os.path.join(self.folder, "log")]
        command += ["--replSet", "secured", "--auth", "--keyFile", key_file, "--wiredTigerCacheSizeGB", "0.25"]
        command += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", os.path.join(self.folder, "server.pem")]
        command += ["--tlsCAFile", self.authority, "--tlsAllowConnectionsWithoutCertificates"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            self._initiate()
        except BaseException:
            self.down()
            raise

    @property
    def authority(self):
        return os.path.join(self.folder, "authority.pem")

    def uri(self, user, password="secret"):
        return f"mongodb://{user}:{password}@localhost:{self._port}/?replicaSet=secured&tls=true&tlsCAFile={self.authority}"

    def run_script(self, script):
        """What mongosh would do with a script of `init-db --print-roles`; every user's password is `secret`."""
        roles = CREATE_ROLE.findall(script)
        users = re.findall(r"db\.createUser\((.*)\)$", script, re.MULTILINE)
        assert roles and users, script
        with pymongo.MongoClient(self.uri("root")) as client:
            for text in roles:
                role = json.loads(TRAILING_COMMA.sub(r"\1", KEY.sub(r'"\1": ', text)))
                client.admin.command("createRole", role["role"], roles=role["roles"], privileges=role["privileges"])
            for text in users:
                user = json.loads(KEY.sub(r'"\1": ', text.replace("passwordPrompt()", '"secret"')))
                client.admin.command("createUser", user["user"], pwd=user["pwd"], roles=user["roles"])

    def down(self):
        self._process.terminate()
        self._process.wait(60)
        self._folder.cleanup()

    def _initiate(self):
        direct = f"mongodb://localhost:{self._port}/?directConnection=true&tls=true&tlsCAFile={self.authority}"
        # The first user is made from this host without being one.
        with pymongo.MongoClient(direct) as client:
            members = [{"_id": 0, "host": f"localhost:{self._port}"}]
            client.admin.command("replSetInitiate", {"_id": "secured", "members": members})
            wait_for("a primary", lambda: client.admin.command("hello")["isWritablePrimary"])
            client.admin.command("createUser", "root", pwd="secret", roles=["root"])

    def _certificates(self):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

        openssl("req", "-x509", *key, "-subj", "/CN=Authority", "-keyout", "authority.key", "-out", "authority.pem")
        openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        with open(os.path.join(self.folder, "names"), "w", encoding="ascii") as file:
            file.write("subjectAltName=DNS:localhost\n")
        signing = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-in", "server.csr", *signing, "-out", "server.crt")
        with open(os.path.join(self.folder, "server.pem"), "w", encoding="ascii") as file:
            for part in ("server.key", "server.crt"):
                with open(os.path.join(self.folder, part), encoding="ascii") as source:
                    file.write(source.read())


def init_db(*arguments):
    done = subprocess.run(
        [executable(), "init-db", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr
