"""Certificates that are made for a run."""

import base64
import ssl
import subprocess


class Certificate:
    """A key and a certificate for some names, signed by a CA that lives as long."""

    def __init__(self, folder, names):
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.authority = authority = folder / "ca.pem"
        authority_key, request = folder / "ca.key", folder / "request.pem"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl(
            "req", "-x509", *curve, "-keyout", authority_key, "-out", authority, "-days", "2", "-subj", "/CN=CA"
        )
        self._openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", f"/CN={names[0]}")
        extensions = folder / "extensions"
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
        leaf = folder / "leaf.pem"
        signing = ["-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-extfile", extensions]
        self._openssl("x509", "-req", "-in", request, *signing, "-days", "2", "-out", leaf)
        self.chain.write_bytes(leaf.read_bytes() + authority.read_bytes())
        public = self._openssl("x509", "-in", leaf, "-pubkey", "-noout")
        der = self._openssl("pkey", "-pubin", "-outform", "der", given=public)
        digest = self._openssl("dgst", "-sha256", "-binary", given=der)
        self.fingerprint = base64.b64encode(digest).decode()

    def protect(self, server):
        """Makes a server of http.server one of https. Who does not take the certificate ends their own connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    @staticmethod
    def _openssl(*arguments, given=b""):
        done = subprocess.run(["openssl", *map(str, arguments)], input=given, check=True, capture_output=True)
        return done.stdout
