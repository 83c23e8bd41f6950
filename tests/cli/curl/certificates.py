"""An authority and what it has issued, made by openssl(1) for one run of the comparison."""

import os
import ssl
import subprocess

EXTENSIONS = """[server]
subjectAltName = DNS:localhost,DNS:a.example,IP:127.0.0.1
[wrong]
subjectAltName = DNS:wrong.example
[client]
extendedKeyUsage = clientAuth
[authority]
basicConstraints = critical,CA:TRUE
"""


class Certificates:
    def __init__(self, directory):
        self.directory = directory
        self.contexts = {}
        with open(self.path("ext.cnf"), "w", encoding="ascii") as file:
            file.write(EXTENSIONS)
        self.make("ca", "Test CA", None, "authority")
        self.make("server", "localhost", "ca", "server")
        self.make("wrong", "wrong", "ca", "wrong")
        self.make("selfsigned", "localhost", None, "server")
        self.make("client", "client", "ca", "client")
        self.openssl("x509", "-in", "client.pem", "-outform", "DER", "-out", "client.der")
        self.openssl("pkey", "-in", "client.key", "-outform", "DER", "-out", "client.key.der")
        self.openssl("pkcs12", "-export", "-in", "client.pem", "-inkey", "client.key",
                     "-passout", "pass:sesame", "-out", "client.p12")
        self.openssl("pkey", "-in", "client.key", "-aes128", "-passout", "pass:sesame",
                     "-out", "client.locked")
        self.openssl("x509", "-in", "server.pem", "-pubkey", "-noout", "-out", "server.pub")
        self.openssl("x509", "-in", "wrong.pem", "-pubkey", "-noout", "-out", "wrong.pub")
        self.pin = self.pin_of("server.pub")
        self.wrong_pin = self.pin_of("wrong.pub")

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *args, stdin=None):
        done = subprocess.run(["openssl", *args], cwd=self.directory, check=True, input=stdin,
                              capture_output=True)
        return done.stdout

    def make(self, name, common_name, issuer, section):
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={common_name}",
                     "-out", f"{name}.csr")
        by = (["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"] if issuer
              else ["-signkey", f"{name}.key"])
        self.openssl("x509", "-req", "-in", f"{name}.csr", *by, "-days", "30",
                     "-extfile", "ext.cnf", "-extensions", section, "-out", f"{name}.pem")

    def pin_of(self, name):
        der = self.openssl("pkey", "-pubin", "-in", name, "-outform", "DER")
        digest = self.openssl("dgst", "-sha256", "-binary", stdin=der)
        return "sha256//" + self.openssl("base64", "-A", stdin=digest).decode().strip()

    def context(self, name):
        """A server's: https, https-wrong, https-selfsigned, https-client, https-12, https-proxy."""
        if name not in self.contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            own = name.partition("-")[2]
            cert = own if own in ("wrong", "selfsigned") else "server"
            context.load_cert_chain(self.path(f"{cert}.pem"), self.path(f"{cert}.key"))
            if own == "client":
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.path("ca.pem"))
            if own == "12":
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.contexts[name] = context
        return self.contexts[name]
