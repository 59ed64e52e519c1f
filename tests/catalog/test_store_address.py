"""Addresses of stores: what the engine reaches, and what is said of the rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.readers import open_lake, open_store
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_address import REMOTE, storage_of
from glaciolake.catalog.store_compact import compact
from glaciolake.cluster.doctor import KEYS
from tests.catalog.store_data import batch

LAKE = "tsho-rolpa"


def test_a_store_in_memory_is_that_of_a_disk_and_one_by_name(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url, local = "memory://one/lakes", Store.create(str(tmp_path_factory.mktemp("s")))
    for store in (Store.create(url), local):
        store.commit(batch([3, 1]))
        store.commit(batch([3], version="v2"))
        compact(store)
    assert Store.open(url).digest() == local.digest()
    assert list(open_lake(url, LAKE)["version"].values) == ["v1-1", "v2-3"]
    with pytest.raises(StoreError, match="no glaciolake store at 'memory://another"):
        open_store("memory://another/lakes")


def test_writers_of_a_store_in_memory_lose_nothing_to_each_other() -> None:
    url = "memory://two/lakes"
    Store.create(url)

    def work(number: int) -> None:
        store = Store.open(url)
        for day in range(number, 12, 3):
            store.commit(batch([day]))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert open_lake(url, LAKE).sizes["time"] == 12


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://lakes/a/b/", "S3Storage(bucket=lakes, prefix=a/b,"),
        ("gs://lakes/a", "GcsObjectStoreBackend(bucket=lakes, prefix=a)"),
        ("gcs://lakes", "GcsObjectStoreBackend(bucket=lakes, prefix=)"),
        ("az://lakes/a", "AzureObjectStoreBackend(account=mine, container=lakes, prefix=a)"),
        ("abfs://lakes/a", "AzureObjectStoreBackend(account=mine, container=lakes, prefix=a)"),
    ],
)
def test_a_bucket_is_reached_by_the_address_that_fsspec_has_for_it(
    url: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "mine")
    assert told in repr(storage_of(url))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://host/lakes", "cannot be read over https.*glaciolake export.*which xarray opens over http"),
        ("ftp://host/lakes", "has scheme 'ftp'; give a path, file://, s3://bucket/prefix, gs://"),
        ("s3:///lakes", "names no bucket; give"),
        ("abfs://lakes@mine.dfs.core.windows.net/a", "names no bucket; give .* az://container/prefix"),
        ("az://lakes/a", "needs an account; set AZURE_STORAGE_ACCOUNT_NAME and its key"),
    ],
)
def test_what_cannot_be_reached_is_told_with_what_can(
    url: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    for step in (Store.open, Store.create):
        with pytest.raises(StoreError, match=told):
            step(url)


def test_the_doctor_knows_every_bucket_that_outlives_a_process() -> None:
    assert set(KEYS) == set(REMOTE) - {"memory"}
