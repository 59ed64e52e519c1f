"""A store on S3: the same as on a disk, and writers there find each other by conditional writes alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from glaciolake.catalog.readers import area_series, open_lake, open_store
from glaciolake.catalog.store import Batch, Store
from tests.catalog.store_data import HEADER, batch, slices
from tests.catalog.store_kills import Delivery, rows_of_all


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    # one request at a time: moto looks whether a condition holds, and writes, in two steps
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = Thread(target=server.serve_forever)
    thread.start()
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    keys |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}", "AWS_ALLOW_HTTP": "true"}
    for key, value in keys.items():
        monkeypatch.setenv(key, value)
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="lakes")
    yield f"s3://lakes/{request.node.name}"  # what moto holds outlives its server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_store_on_s3_is_that_of_a_disk(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    local = Store.create(str(tmp_path_factory.mktemp("s")))
    remote = Store.create(bucket)
    for store in (local, remote):
        store.commit(batch([1, 3, 2]))
        store.commit(batch([2], version="v2"))
        store.withdraw("tsho-rolpa", "T121", {"T121_S1A_00003": "wrong orbit"}, lambda rows: {})
    assert remote.digest() == local.digest()
    assert list(open_lake(bucket, "tsho-rolpa").version.values) == ["v1-1", "v2-2"]
    assert len(area_series(bucket, "tsho-rolpa")) == 2
    assert "2 slices" in repr(open_store(bucket))


def test_writers_on_s3_lose_nothing_to_each_other(bucket: str) -> None:
    """Every writer has its own connection, as another machine has, and no lock is shared."""
    Store.create(bucket)

    def work(number: int) -> None:
        store = Store.open(bucket)
        for day in range(number, 8, 2):
            store.commit(batch([day]))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert rows_of_all(bucket, [Delivery("tsho-rolpa", day, "v1") for day in range(8)]) == (0, 0)
    serial = Store.create(bucket + "-serial")
    serial.commit(Batch(HEADER, slices(range(8))))
    assert Store.open(bucket).digest() == serial.digest()
