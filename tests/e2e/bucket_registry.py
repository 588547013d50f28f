"""A registry whose data is in a bucket of a test's gateway.

    with CephGateway() as gateway:
        bucket = make_bucket(gateway, "name")
        with BucketRegistry(gateway, "name") as registry: ...
"""

import time

from ceph_gateway import CephGateway
from registry import Registry
from s3_client import S3


def make_bucket(gateway, name):
    """Creates a bucket; returns a client of it."""
    client = S3(gateway.endpoint, gateway.access_key, gateway.secret_key, name)
    answer = client.call("PUT")
    assert answer.status == 200, answer
    return client


class BucketRegistry(Registry):
    STORAGE = "s3"

    def __init__(self, gateway, bucket, endpoint=None, **settings):
        """endpoint: of a proxy before the gateway."""
        settings = {"STORAGE_S3_ACCESSKEY": gateway.access_key, "STORAGE_S3_SECRETKEY": gateway.secret_key,
                    "STORAGE_S3_REGION": gateway.region, "STORAGE_S3_REGIONENDPOINT": endpoint or gateway.endpoint,
                    "STORAGE_S3_BUCKET": bucket, **settings}
        super().__init__(**{name: value for name, value in settings.items() if value is not None})

    def _defaults(self):
        return {name: value for name, value in super()._defaults().items() if "FILESYSTEM" not in name}


class World:
    """One gateway for all cases; each has a bucket of its own."""

    gateway = None

    @classmethod
    def bucket(cls, name):
        if not cls.gateway:
            cls.gateway = CephGateway().__enter__()
        return make_bucket(cls.gateway, name)

    @classmethod
    def registry(cls, name, **settings):
        return BucketRegistry(cls.gateway, name, **settings)

    @classmethod
    def end(cls):
        if cls.gateway:
            cls.gateway.__exit__()


def wait_until(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end, "nothing happened for five minutes"
        time.sleep(0.02)
