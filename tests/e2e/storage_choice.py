"""Whether the registries of a test keep their data in a directory or in a bucket.

    TEST_STORAGE=bucket tests/e2e/registry-push.py

With this variable, a registry that would use a directory uses a bucket of its own in a Ceph gateway
instead. Registries that name one directory share one bucket. The gateway runs until the test ends;
TEST_GATEWAY names one that runs already.
"""

import atexit
import os
import uuid

HAS_BUCKET = os.environ.get("TEST_STORAGE") == "bucket"
DIRECTORY = "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"

_buckets = {}  # of each directory: the variables of its bucket
_gateway = []


class GivenGateway:
    """A gateway that another process has started."""

    access_key, secret_key, region = "AKIDTEST", "test+secret/key", "default"

    def __init__(self, endpoint):
        self.endpoint = endpoint


def _start_gateway():
    if not _gateway:
        given = os.environ.get("TEST_GATEWAY")
        if given:
            _gateway.append(GivenGateway(given))
        else:
            from ceph_gateway import CephGateway
            _gateway.append(CephGateway().__enter__())
            atexit.register(_gateway[0].__exit__)
    return _gateway[0]


def _make_bucket():
    from s3_client import S3
    gateway, name = _start_gateway(), f"t{uuid.uuid4()}"
    client = S3(gateway.endpoint, gateway.access_key, gateway.secret_key, name)
    answer = client.call("PUT")
    assert answer.status == 200, answer
    client.close()
    return {"REGISTRY_STORAGE_S3_ACCESSKEY": gateway.access_key,
            "REGISTRY_STORAGE_S3_SECRETKEY": gateway.secret_key,
            "REGISTRY_STORAGE_S3_REGION": gateway.region,
            "REGISTRY_STORAGE_S3_REGIONENDPOINT": gateway.endpoint,
            "REGISTRY_STORAGE_S3_BUCKET": name}


def choose(program, variables):
    """Returns the storage for a configuration file, and the variables of a server of the program."""
    directory = variables.get(DIRECTORY)
    if not HAS_BUCKET or not directory or "registryd" not in os.path.basename(str(program)):
        return "filesystem", variables
    if str(directory) not in _buckets:
        _buckets[str(directory)] = _make_bucket()
    others = {name: value for name, value in variables.items() if name != DIRECTORY}
    return "s3", {**others, **_buckets[str(directory)]}
