"""What came over a connection: read byte for byte, kept, and cut into requests.

Used by the servers of the comparison with curl (servers.py), a thread for each connection, and by
compare.py, which asks for the requests in a form that can be compared."""

import re
import socket


class Gone(Exception):
    """The client has closed, or the run is over."""


class Wire:
    """One connection as its server sees it. All that comes is kept in self.received."""

    def __init__(self, sock):
        self.sock = sock
        self.pending = b""
        self.received = b""
        self.closed = False

    def read_some(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            raise Gone() from None
        if not data:
            raise Gone()
        self.received += data
        return data

    def read_exactly(self, count):
        while len(self.pending) < count:
            self.pending += self.read_some()
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def peek(self, count):
        while len(self.pending) < count:
            self.pending += self.read_some()
        return self.pending[:count]

    def read_until(self, mark):
        while mark not in self.pending:
            self.pending += self.read_some()
        at = self.pending.index(mark) + len(mark)
        data, self.pending = self.pending[:at], self.pending[at:]
        return data

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise Gone() from None

    def wait_for_end(self):
        """Until the client has closed."""
        try:
            while True:
                self.read_some()
        except Gone:
            pass

    def close(self):
        self.closed = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Request:
    """One request: its line, its fields in order, its body without chunks."""

    def __init__(self, wire):
        self.body = b""
        self.chunked = False
        self.trailers = b""
        self.head = wire.read_until(b"\r\n\r\n")
        lines = self.head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.fields = [split_field(line) for line in lines[1:] if line]
        parts = self.line.split(" ")
        self.method = parts[0]
        self.target = parts[1] if len(parts) > 1 else ""
        self.version = parts[2] if len(parts) > 2 else ""

    def get(self, name, default=None):
        for have, value in self.fields:
            if have.lower() == name.lower():
                return value
        return default

    def read_body(self, wire):
        if (self.get("Transfer-Encoding") or "").lower() == "chunked":
            self.chunked = True
            while True:
                size = int(wire.read_until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    break
                self.body += wire.read_exactly(size)
                wire.read_exactly(2)
            while True:
                line = wire.read_until(b"\r\n")
                if line == b"\r\n":
                    break
                self.trailers += line
        elif self.get("Content-Length"):
            self.body = wire.read_exactly(int(self.get("Content-Length")))


def split_field(line):
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


# ---------------------------------------------------------------- requests that can be compared

def parameters(value):
    """A Digest field's parameters, sorted: their order means nothing."""
    scheme, _, rest = value.partition(" ")
    found = re.findall(r'([a-zA-Z]+)=("[^"]*"|[^,\s]*)', rest)
    changing = {"cnonce": "CNONCE", "response": "RESPONSE"}
    return scheme + " " + ", ".join(
        f"{name}={changing.get(name, text.strip(chr(34)))}" for name, text in sorted(found))


def comparable_field(name, value, own_agents):
    lower = name.lower()
    if lower == "user-agent" and re.fullmatch(own_agents, value):
        return name, "AGENT"
    if lower in ("authorization", "proxy-authorization") and value.startswith("Digest "):
        return name, parameters(value)
    if lower == "accept-encoding":
        return name, ", ".join(sorted(part.strip() for part in value.split(",")))
    return name, value


def comparable(request, own_agents=r"(curl|ferry)/[0-9][^ ]*"):
    """The request as text. What may differ without meaning anything is made the same: the command's
    own name, the order of fields of different names, a multipart boundary, how a body is cut into
    chunks, and what is random in Digest credentials."""
    fields = [comparable_field(name, value, own_agents) for name, value in request.fields]
    body = request.body
    content_type = request.get("Content-Type") or ""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary and content_type.startswith("multipart/"):
        body = body.replace(boundary.group(1).encode("latin-1"), b"BOUNDARY")
        for inner in re.findall(rb'multipart/mixed; boundary=(\S+)', body):
            body = body.replace(inner, b"INNER")
        fields = [(name, value.replace(boundary.group(1), "BOUNDARY")) for name, value in fields]
        fields = [(name, str(len(body)) if name.lower() == "content-length" else value)
                  for name, value in fields]
    fields.sort(key=lambda field: field[0].lower())
    lines = [request.line] + [f"{name}: {value}" for name, value in fields]
    shown = body if len(body) <= 3000 else b"%d bytes, sum %d" % (len(body), sum(body))
    end = "chunks:" if request.chunked else "body:"
    return "\n".join(lines) + f"\n{end} {shown!r}\n" + (
        f"trailers: {request.trailers!r}\n" if request.trailers else "")
