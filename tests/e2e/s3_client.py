"""A small S3 client for the tests: it signs requests on its own (Signature Version 4), independently of registryd."""

import datetime
import hashlib
import hmac
import http.client
import time
import urllib.parse
import xml.etree.ElementTree

TIMEOUT_S = 600
IDLE_S = 20  # a gateway closes connections that nobody used for about a minute
SERVICE = "s3"


class Answer:
    """status, headers (names in any case) and body of an answer."""

    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def etag(self):
        return self.headers["ETag"]

    @property
    def xml(self):
        return xml.etree.ElementTree.fromstring(self.body)

    def texts(self, name):
        """Returns the text of every element of that name, whatever its namespace."""
        return [element.text or "" for element in self.xml.iter() if element.tag.rpartition("}")[2] == name]

    @property
    def code(self):
        """The error code, such as NoSuchKey."""
        return self.texts("Code")[0] if self.body.startswith(b"<") and self.texts("Code") else ""

    def __repr__(self):
        return f"{self.status} {self.code} {self.body[:300]!r}"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def escape(text):
    return urllib.parse.quote(text, safe="-._~")


class S3:
    """Requests to one bucket of an endpoint (http://host:port), with the bucket in the path."""

    def __init__(self, endpoint, access_key, secret_key, bucket, region="us-east-1"):
        self.host = endpoint.partition("://")[2]
        self.access_key, self.secret_key, self.bucket, self.region = access_key, secret_key, bucket, region
        self.connection, self.used_s = None, 0

    def call(self, method, key="", query=None, headers=None, body=b"", digest=None):
        """Sends a signed request; the connection is kept. key "" is the bucket itself."""
        path = "/" + self.bucket + ("/" + urllib.parse.quote(key, safe="/-._~") if key else "")
        parameters = "&".join(f"{escape(name)}={escape(value)}" for name, value in sorted((query or {}).items()))
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        headers.update({"host": self.host, "x-amz-content-sha256": digest or sha256(body),
                        "x-amz-date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")})
        headers["authorization"] = self._authorization(method, path, parameters, headers)
        return self._send(method, path + ("?" + parameters if parameters else ""), headers, body)

    def _authorization(self, method, path, parameters, headers):
        names = sorted(headers)
        date, digest = headers["x-amz-date"], headers["x-amz-content-sha256"]
        request = "\n".join([method, path, parameters, *(f"{name}:{headers[name]}" for name in names), "", ";".join(names), digest])
        scope = f"{date[:8]}/{self.region}/{SERVICE}/aws4_request"
        key = ("AWS4" + self.secret_key).encode()
        for part in (*scope.split("/"), "\n".join(["AWS4-HMAC-SHA256", date, scope, sha256(request.encode())])):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope},SignedHeaders={';'.join(names)},"
                f"Signature={key.hex()}")

    def _send(self, method, target, headers, body):
        if time.monotonic() > self.used_s + IDLE_S:
            self.close()
        self.used_s = time.monotonic()
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        headers = {name: value for name, value in headers.items() if name != "host"}
        self.connection.request(method, target, body, headers)
        return Answer(self.connection.getresponse())

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    # --- what tests do most --------------------------------------------------------------------------

    def put(self, key, body=b"", **headers):
        return self.call("PUT", key, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)

    def get(self, key, **headers):
        return self.call("GET", key, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def start_multipart(self, key, **headers):
        return self.call("POST", key, {"uploads": ""}, {name.replace("_", "-"): value for name, value in headers.items()})

    def put_part(self, key, upload, number, body):
        return self.call("PUT", key, {"partNumber": str(number), "uploadId": upload}, body=body)

    def complete(self, key, upload, etags, **headers):
        parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                        for number, etag in enumerate(etags, 1))
        return self.call("POST", key, {"uploadId": upload}, {name.replace("_", "-"): value for name, value in headers.items()},
                         f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode())
