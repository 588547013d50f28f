"""A small S3 store that discards the bytes of large objects, and answers with the same pattern instead.

Every large object that a benchmark puts is a beginning of one pattern, the block again and again, so any size fits into memory. The
store keeps conditions of PUT and DELETE. It checks no signatures.
"""

import hashlib
import http.server
import re
import threading
import urllib.parse
import xml.sax.saxutils

BLOCK_SIZE, LARGE = 1 << 20, 1 << 20
COPY_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Discarding:
    """size bytes of the pattern."""

    def __init__(self, size):
        self.size, self.etag, self.meta = size, f'"{hashlib.md5(str(size).encode()).hexdigest()}"', {}


class Kept:
    def __init__(self, data, meta):
        self.data, self.size, self.etag, self.meta = data, len(data), f'"{hashlib.md5(data).hexdigest()}"', meta


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None

    def read_body(self):
        """Returns the bytes, or how many were discarded."""
        size = int(self.headers.get("Content-Length") or 0)
        if size < LARGE:
            return self.rfile.read(size)
        buffer, left = memoryview(bytearray(256 << 10)), size
        while left:
            n = self.rfile.readinto(buffer[:min(left, len(buffer))])
            if not n:
                raise ConnectionError
            left -= n
        return size

    def handle_request(self):
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.key = urllib.parse.unquote(parts.path).lstrip("/").partition("/")[2]
        body = self.read_body()
        with self.server.lock:
            answer = self.find_answer(body)
        if answer:
            answer()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

    def find_answer(self, body):
        """Answers, or returns a function that does so without the lock."""
        if "uploadId" in self.query:
            return self.multipart(body)
        if self.command == "POST":
            return self.start() if "uploads" in self.query else self.delete_many(body)
        if self.command == "PUT":
            return self.put(body)
        if self.command == "DELETE":
            return self.delete()
        if not self.key:
            return self.answer(200) if self.command == "HEAD" else self.list()
        return self.get()

    # --- objects -----------------------------------------------------------------------------------

    def holds(self):
        """Whether the conditions of the request hold."""
        found = self.server.objects.get(self.key)
        if self.headers.get("If-None-Match"):
            return not found
        match = self.headers.get("If-Match")
        return not match or (found is not None and found.etag == match)

    def put(self, body):
        if not self.holds():
            return self.answer(412)
        meta = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
        source = self.source()
        made = Discarding(source.size) if source else Kept(body, meta) if isinstance(body, bytes) else Discarding(body)
        self.server.objects[self.key] = made
        return self.answer(200, ETag=made.etag)

    def source(self):
        name = urllib.parse.unquote(self.headers.get("x-amz-copy-source") or "").lstrip("/").partition("/")[2]
        return self.server.objects[name] if name else None

    def delete(self):
        if not self.holds():
            return self.answer(412)
        self.server.objects.pop(self.key, None)
        return self.answer(204)

    def delete_many(self, body):
        for key in re.findall(r"<Key>(.*?)</Key>", body.decode()):
            self.server.objects.pop(xml.sax.saxutils.unescape(key), None)
        return self.answer(200, "<DeleteResult/>")

    def get(self):
        found = self.server.objects.get(self.key)
        if not found:
            return self.answer(404)
        first, last = 0, found.size - 1
        chosen = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if chosen:
            first, last = int(chosen[1]), min(int(chosen[2] or last), last)
        headers = {"ETag": found.etag, "Last-Modified": self.date_time_string(), **found.meta}
        if isinstance(found, Kept):
            return self.answer(206 if chosen else 200, found.data[first:last + 1], **headers)
        return lambda: self.send_pattern(206 if chosen else 200, first, last + 1, headers)

    def send_pattern(self, status, at, end, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": end - at}.items():
            self.send_header(name, value)
        self.end_headers()
        while at < end and self.command != "HEAD":
            piece = self.server.block[at % BLOCK_SIZE:][:end - at]
            self.wfile.write(piece)
            at += len(piece)

    def list(self):
        prefix = self.query.get("prefix", "")
        keys = sorted(key for key in self.server.objects if key.startswith(prefix))
        entries = "".join(f"<Contents><Key>{xml.sax.saxutils.escape(key)}</Key></Contents>" for key in keys)
        return self.answer(200, f"<ListBucketResult>{entries}</ListBucketResult>")

    # --- multipart uploads -------------------------------------------------------------------------

    def start(self):
        name = str(len(self.server.uploads) + 1)
        self.server.uploads[name] = {}
        return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>")

    def multipart(self, body):
        sizes = self.server.uploads[self.query["uploadId"]]
        if self.command == "PUT":
            copied = COPY_RANGE.match(self.headers.get("x-amz-copy-source-range") or "")
            size = int(copied[2]) - int(copied[1]) + 1 if copied else body if isinstance(body, int) else len(body)
            sizes[int(self.query["partNumber"])] = size
            etag = Discarding(size).etag
            return self.answer(200, f"<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>" if copied else "", ETag=etag)
        if self.command == "POST":
            self.server.objects[self.key] = Discarding(sum(sizes.values()))
            return self.answer(200, "<CompleteMultipartUploadResult/>")
        if self.command == "DELETE":
            return self.answer(204)
        first = int(self.query.get("part-number-marker") or 0)
        parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{Discarding(size).etag}</ETag><Size>{size}</Size></Part>"
                        for number, size in sorted(sizes.items()) if number > first)
        return self.answer(200, f"<ListPartsResult>{parts}<IsTruncated>false</IsTruncated></ListPartsResult>")


class DiscardingStore(http.server.ThreadingHTTPServer):
    """Serves on loopback as a context manager. block is one MiB, the pattern."""

    daemon_threads, request_queue_size = True, 256
    access_key, secret_key, region, bucket = "key", "secret", "us-east-1", "bench"

    def __init__(self, block):
        super().__init__(("127.0.0.1", 0), Handler)
        self.block, self.objects, self.uploads, self.lock = block, {}, {}, threading.Lock()
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """A client that is gone needs no traceback."""
