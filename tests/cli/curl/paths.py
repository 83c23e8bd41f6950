"""What the recording origin answers: a function for each first word of a path, which sends bytes.

    /hello              "hello" and a line feed, with its length
    /status/404         that status, with a body that names it
    ...

A function gets an Exchange; answers that are cut short, slow or no HTTP at all are written out. The
same functions answer requests in absolute form at the proxy, and https."""

import base64
import gzip
import hashlib
import re
import socket
import struct
import time
import urllib.parse
import zlib

from wire import Gone

REASONS = {200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content",
           301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
           307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 408: "Request Timeout",
           416: "Range Not Satisfiable", 417: "Expectation Failed", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


def pattern(count):
    """Bytes that are no two alike near each other."""
    line = b"".join(b"%07d\n" % (i * 8) for i in range((count + 7) // 8))
    return line[:count]


class Exchange:
    """One request and the way to answer it. run: the servers of this run (servers.Servers)."""

    def __init__(self, run, wire, request, path):
        self.run = run
        self.wire = wire
        self.request = request
        self.path, _, self.query = path.partition("?")
        self.words = self.path.strip("/").split("/")
        self.keep = True

    def send(self, text):
        self.wire.send(text.encode("latin-1") if isinstance(text, str) else text)

    def head(self, status, *fields, reason=None, version="HTTP/1.1"):
        lines = [f"{version} {status} {reason or REASONS.get(status, 'Status')}"]
        self.send("\r\n".join(lines + list(fields)) + "\r\n\r\n")

    def answer(self, status, body=b"", *fields, reason=None, content_type="text/plain"):
        body = body.encode("latin-1") if isinstance(body, str) else body
        has_type = (f"Content-Type: {content_type}",) if body else ()
        self.head(status, *has_type, f"Content-Length: {len(body)}", *fields, reason=reason)
        if self.request.method != "HEAD":
            self.send(body)

    def number(self, at, default=0):
        return int(self.words[at]) if len(self.words) > at else default


# ------------------------------------------------------------------------------------ the usual

def hello(x):
    x.answer(200, "hello\n")


def echo(x):
    """The body that came, and its method."""
    x.answer(200, x.request.method.encode() + b" " + x.request.body)


def size(x):
    x.answer(200, pattern(x.number(1)), content_type="application/octet-stream")


def status(x):
    code = x.number(1)
    if code in (204, 304):
        x.head(code)
    else:
        x.answer(code, f"status {code}\n")


def reason(x):
    x.answer(200, "reason\n", reason=urllib.parse.unquote(x.words[1]))


def head_only(x):
    x.head(200, "Content-Length: 1234", "X-Only: head")


def fields(x):
    """Fields as no two servers write them."""
    x.send("HTTP/1.1 200 \r\nContent-Length:3\r\nX-Many: one\r\nx-many:  two \r\nX-Empty:\r\n"
           "X-Tab:\tthree\r\n\r\nok\n")


def json(x):
    x.answer(200, '{"a": 1}\n', content_type="application/json")


def modified(x):
    when = "Sat, 01 Feb 2020 03:04:05 GMT"
    if x.request.get("If-Modified-Since") == when:
        x.head(304, f"Last-Modified: {when}")
    else:
        x.answer(200, "modified\n", f"Last-Modified: {when}")


def etag(x):
    if x.request.get("If-None-Match") == '"tag-1"':
        x.head(304, 'ETag: "tag-1"')
    else:
        x.answer(200, "tagged\n", 'ETag: "tag-1"')


def disposition(x):
    name = urllib.parse.unquote(x.words[1])
    x.answer(200, "disposed\n", f"Content-Disposition: attachment; filename={name}")


def ranges(x):
    body = pattern(100)
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", x.request.get("Range") or "")
    if not wanted:
        x.answer(200, body, "Accept-Ranges: bytes")
        return
    first, last = wanted.groups()
    if first == "":
        start, end = max(0, len(body) - int(last)), len(body) - 1
    else:
        start, end = int(first), min(int(last or len(body)), len(body) - 1)
    if start >= len(body):
        x.answer(416, "none\n", f"Content-Range: bytes */{len(body)}")
    else:
        x.answer(206, body[start:end + 1], f"Content-Range: bytes {start}-{end}/{len(body)}")


# ------------------------------------------------------------------------------------ redirects

def redirect(x):
    """/redirect/302/hello leads to /hello; with no words behind the code to /hello."""
    to = "/" + "/".join(x.words[2:]) if len(x.words) > 2 else "/hello"
    to += "?" + x.query if x.query else ""
    x.answer(x.number(1), "moved\n", f"Location: {to}")


def hops(x):
    left = x.number(1)
    x.answer(302, "hop\n", f"Location: /hops/{left - 1}" if left > 1 else "Location: /hello")


def elsewhere(x):
    """To the same server by its other name."""
    host = x.request.get("Host") or ""
    name = "localhost" if host.startswith("127.") else "127.0.0.1"
    x.answer(302, "moved\n", f"Location: http://{name}:{x.run.port('http')}/hello")


def secure(x):
    x.answer(302, "moved\n", f"Location: https://localhost:{x.run.port('https')}/hello")


def location(x):
    x.answer(302, "moved\n", "Location: " + urllib.parse.unquote(x.query))


# ------------------------------------------------------------------------------- cookies, fields

def cookie(x):
    """Sets what the query says, cookies separated by '&'."""
    sets = [f"Set-Cookie: {urllib.parse.unquote(part)}" for part in x.query.split("&") if part]
    x.answer(200, "cookie\n", *sets)


def cookie_redirect(x):
    sets = [f"Set-Cookie: {urllib.parse.unquote(part)}" for part in x.query.split("&") if part]
    x.answer(302, "cookie\n", "Location: /hello", *sets)


def hsts(x):
    x.answer(200, "strict\n", "Strict-Transport-Security: max-age=31536000; includeSubDomains")


# ---------------------------------------------------------------------------------- credentials

def basic(x):
    if x.request.get("Authorization") == "Basic " + base64.b64encode(b"user:secret").decode():
        x.answer(200, "welcome\n")
    else:
        x.answer(401, "who?\n", 'WWW-Authenticate: Basic realm="here"')


def bearer(x):
    if x.request.get("Authorization") == "Bearer token":
        x.answer(200, "welcome\n")
    else:
        x.answer(401, "who?\n", "WWW-Authenticate: Bearer")


def digest_is_right(request, field, algorithm):
    made = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]
    given = dict((name, text.strip('"')) for name, text in
                 re.findall(r'([a-zA-Z]+)=("[^"]*"|[^,\s]*)', field))

    def hashed(text):
        return made(text.encode()).hexdigest()

    one = hashed(f"user:{given.get('realm')}:secret")
    two = hashed(f"{request.method}:{given.get('uri')}")
    want = hashed(f"{one}:{given.get('nonce')}:{given.get('nc')}:{given.get('cnonce')}:"
                  f"{given.get('qop')}:{two}")
    asked = (request.target, "/" + request.target.partition("://")[2].partition("/")[2])
    return given.get("response") == want and given.get("uri") in asked


def digest(x):
    """/digest or /digest/SHA-256; /digest/both offers Basic, too."""
    kind = x.words[1] if len(x.words) > 1 else "MD5"
    algorithm = "SHA-256" if kind == "SHA-256" else "MD5"
    field = x.request.get("Authorization") or ""
    if field.startswith("Digest ") and digest_is_right(x.request, field, algorithm):
        x.answer(200, b"welcome " + x.request.body + b"\n")
        return
    offers = [f'WWW-Authenticate: Digest realm="here", qop="auth", nonce="0123456789abcdef", '
              f'algorithm={algorithm}, opaque="thing"']
    if kind == "both":
        offers.insert(0, 'WWW-Authenticate: Basic realm="here"')
    x.answer(401, "who?\n", *offers)


# ---------------------------------------------------------------------------------- how bodies end

def chunked(x):
    x.head(200, "Transfer-Encoding: chunked", "Trailer: X-Sum")
    x.send("5\r\nhello\r\n8;ext=1\r\n, chunks\r\n1\r\n\n\r\n0\r\nX-Sum: 42\r\n\r\n")


def encoded(x, body, coding):
    x.answer(200, body, f"Content-Encoding: {coding}")


def gzipped(x):
    encoded(x, gzip.compress(b"hello, gzip\n", mtime=0), "gzip")


def deflated(x):
    encoded(x, zlib.compress(b"hello, deflate\n"), "deflate")


def gzip_cut(x):
    encoded(x, gzip.compress(pattern(3000), mtime=0)[:100], "gzip")


def gzip_bad(x):
    encoded(x, b"this is no gzip\n", "gzip")


def unknown_coding(x):
    encoded(x, b"whatever\n", "rot13")


def until_close(x):
    x.head(200, "Content-Type: text/plain")
    x.send("until the close\n")
    x.keep = False


def old(x):
    x.head(200, "Content-Type: text/plain", "Content-Length: 4", version="HTTP/1.0")
    x.send("old\n")
    x.keep = False


def closing(x):
    x.answer(200, "closing\n", "Connection: close")
    x.keep = False


# ------------------------------------------------------------------------------------ misbehaviour

def cut(x):
    x.head(200, "Content-Length: 100")
    x.send("only this")
    x.keep = False


def chunk_cut(x):
    x.head(200, "Transfer-Encoding: chunked")
    x.send("5\r\nhello\r\n9\r\nand")
    x.keep = False


def chunk_bad(x):
    x.head(200, "Transfer-Encoding: chunked")
    x.send("5\r\nhello\r\nxyz\r\n")
    x.keep = False


def reset(x):
    x.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    x.wire.sock.close()
    raise Gone()


def empty(x):
    x.keep = False


def garbage(x):
    x.send("\x01\x02 this is not HTTP\n")
    x.keep = False


def half_head(x):
    x.send("HTTP/1.1 200 OK\r\nContent-Le")
    x.keep = False


def two_lengths(x):
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nok\n")
    x.keep = False


def slow(x):
    """Half of it, and then nothing more."""
    x.head(200, "Content-Length: 12")
    x.send("hello,")
    x.wire.wait_for_end()
    raise Gone()


def never(x):
    x.wire.wait_for_end()
    raise Gone()


def pause(x):
    """/pause/MS"""
    time.sleep(x.number(1) / 1000)
    x.answer(200, "after a pause\n")


def retry(x):
    """/retry/2/503: fails twice with the status; a third word is Retry-After."""
    seen = x.run.count(x.path)
    if seen <= x.number(1):
        after = (f"Retry-After: {x.words[3]}",) if len(x.words) > 3 else ()
        x.answer(x.number(2), "again\n", *after)
    else:
        x.answer(200, f"after {seen}\n")


def hints(x):
    x.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    x.answer(200, "hinted\n", "X-Final: yes")


def refused_upload(x):
    x.answer(413, "too large\n", "Connection: close", reason="Too Large")
    x.keep = False


def given(x):
    """Whatever the query is, percent-decoded: the answer in bytes."""
    x.send(urllib.parse.unquote_to_bytes(x.query))
    x.keep = False


PATHS = {
    "hello": hello, "echo": echo, "size": size, "status": status, "reason": reason,
    "head": head_only, "fields": fields, "json": json, "modified": modified, "etag": etag,
    "disposition": disposition, "range": ranges, "redirect": redirect, "hops": hops,
    "elsewhere": elsewhere, "secure": secure, "location": location, "cookie": cookie,
    "cookie-redirect": cookie_redirect, "hsts": hsts, "basic": basic, "bearer": bearer,
    "digest": digest, "chunked": chunked, "gzip": gzipped, "deflate": deflated,
    "gzip-cut": gzip_cut, "gzip-bad": gzip_bad, "unknown-coding": unknown_coding,
    "until-close": until_close, "old": old, "closing": closing, "cut": cut,
    "chunk-cut": chunk_cut, "chunk-bad": chunk_bad, "reset": reset, "empty": empty,
    "garbage": garbage, "half-head": half_head, "two-lengths": two_lengths, "slow": slow,
    "never": never, "pause": pause, "retry": retry, "hints": hints,
    "refused-upload": refused_upload, "given": given,
}


def answer(run, wire, request, path):
    """Answers one request whose body has not been read yet. Whether the connection goes on."""
    exchange = Exchange(run, wire, request, path)
    serve = PATHS.get(exchange.words[0], hello)
    expects = "100-continue" in (request.get("Expect") or "").lower()
    if expects and exchange.words[0] == "refused-upload":
        serve(exchange)
        return False
    if expects and exchange.words[0] != "no-continue":
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.read_body(wire)
    serve(exchange)
    close = "close" in (request.get("Connection") or "").lower()
    return exchange.keep and not close and request.version == "HTTP/1.1"
