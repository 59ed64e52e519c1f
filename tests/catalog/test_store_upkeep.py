"""Looking after a store: withdrawn, damaged, compacted, expired; nothing else is touched or forgotten."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.readers import open_lake, open_store
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_compact import compact, expire
from glaciolake.catalog.store_digest import series_digest
from glaciolake.catalog.store_table import array_of
from glaciolake.catalog.store_verify import repair, verify
from glaciolake.catalog.variables import VARIABLES
from glaciolake.pipeline.__main__ import app
from tests.catalog.store_data import HEADER, batch, slices

LAKE, TRACK = "tsho-rolpa", "T121"
PASS = "T121_S1A_{:05d}"
PIXELS = ("water_probability", "gamma0_vv_db", "surface")


def ids(url: str) -> list[int]:
    return [int(str(text)[-5:]) for text in open_lake(url, LAKE).pass_id.values]


def noisy(days: range, version: str = "v1") -> Batch:
    """Slices that do not compress: every chunk is a file of its own."""
    packed = slices(days, version=version)
    rng = np.random.default_rng(days.start)
    for name in ("area_m2", "area_lower_m2", "area_upper_m2", "area_sigma_m2"):
        packed[name].values[:] = rng.random(len(days))
    packed["granules"].values[:] = ["".join(map(str, rng.integers(0, 10, 90))) for _ in days]
    for name in ("water_probability", "gamma0_vv_db", "surface"):
        shape = packed[name].shape
        packed[name].values[:] = rng.integers(0, 250, shape)
    return Batch(HEADER, packed)


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["store", *words])
    return done.exit_code, done.output


def test_a_withdrawn_slice_is_gone_stays_gone_and_is_told_of(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    store.commit(batch([1, 2, 3]))
    before = store.digest()
    code, said = command("withdraw", url, "G2", "--reason", "wrong orbit file")
    assert (code, said) == (0, f"{LAKE}/{TRACK}/{PASS.format(2)}: withdrawn\n")
    assert ids(url) == [1, 3] and store.digest() != before
    assert store.commit(batch([2])) is None  # the same run again does not bring it back
    told = open_store(url).history(LAKE, TRACK, PASS.format(2))
    assert list(told.status) == ["superseded", "withdrawn"]
    assert list(told.reason) == ["", "wrong orbit file"]
    assert "wrong orbit file" in command("history", url, "--lake", LAKE, "--track", TRACK)[1]
    assert open_lake(url, LAKE, as_of=told.committed[0]).sizes["time"] == 3
    store.commit(batch([2], version="v2"))  # of newer granules
    assert ids(url) == [1, 2, 3]
    assert command("withdraw", url, "G7", "--reason", "x")[0] == 2
    with pytest.raises(StoreError, match="never held T121_S1A_00009"):
        store.withdraw(LAKE, TRACK, {PASS.format(9): "x"})


def chunks_of(url: str) -> list[Path]:
    return sorted((Path(url) / "chunks").iterdir())


def damage(url: str, number: int) -> bool:
    """Flip a byte in the middle of a stored chunk; False where there is no such chunk."""
    chunks = chunks_of(url)
    if number >= len(chunks):
        return False
    content = bytearray(chunks[number].read_bytes())
    content[len(content) // 2] ^= 0xFF
    chunks[number].write_bytes(content)
    return True


def test_every_damaged_chunk_is_found_named_and_made_anew_by_the_same_run(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    Store.create(str(whole)).commit(noisy(range(20)))
    expected = Store.open(str(whole)).digest()
    arrays, number = set(), 0
    while True:
        url = str(tmp_path / f"s{number}")
        shutil.copytree(whole, url)
        if not damage(url, number):
            break
        store = Store.open(url)
        found = verify(store)
        assert len(found) == 1, number
        arrays.add(found[0].array)
        if found[0].passes:
            words = rf"{found[0].passes[0]}.* are damaged .*store repair"
            with pytest.raises(StoreError, match=words) as error:
                open_lake(url, LAKE).load()
            assert "\n" not in str(error.value)
            assert command("verify", url)[0] == 1
        assert repair(store) == found
        assert verify(store) == [] and len(ids(url) if not found[0].passes else [1]) < 20
        assert store.commit(noisy(range(20))) is not None
        assert Store.open(url).digest() == expected, found[0]
        number += 1
    assert arrays == {"numbers", "texts", "water_probability", "surface", "gamma0_vv_db"}
    assert command("verify", str(whole)) == (0, "every stored chunk can be read\n")


def test_a_damaged_last_chunk_does_not_let_a_writer_build_on_it(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    store.commit(noisy(range(15)))
    sizes = [path.stat().st_size for path in chunks_of(url)]
    assert damage(url, sizes.index(max(sizes)))  # of gamma0_vv_db, the one of two bytes a pixel
    with pytest.raises(StoreError, match=r"chunk is damaged.*nothing was written.*store repair"):
        Store.open(url).commit(noisy(range(15, 17)))
    assert len(repair(store)) == 1


def test_compacting_changes_nothing_but_the_order_on_disk(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    for days in (range(40, 60), range(20), range(20, 40)):
        store.commit(noisy(days))
    store.commit(noisy(range(30, 33), "v2"))
    before, expected = open_store(url), store.digest()
    assert compact(store) == {f"{LAKE}/{TRACK}": 63}
    assert compact(store) == {}
    assert store.digest() == expected
    rows = open_store(url)._now.require(LAKE, TRACK)[1]
    assert (np.diff(rows.numbers["time"][:60]) > 0).all()
    xr.testing.assert_identical(before.open_lake(LAKE).load(), open_lake(url, LAKE).load())
    assert versions_of(url, 31) == ["superseded", "current"]
    assert store.commit(noisy(range(58, 61))) is not None  # a writer that was there before
    assert Store.open(url).commit(noisy(range(61))) is None
    assert ids(url) == list(range(61))


@pytest.mark.parametrize("rows", [7, 64])
def test_compacting_into_other_chunks_changes_nothing_that_is_read(tmp_path: Path, rows: int) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    for days in (range(20, 40), range(20)):
        store.commit(noisy(days))
    before, expected = open_store(url), store.digest()
    code, said = command("compact", url, "--rows", str(rows))
    assert (code, said) == (0, f"{LAKE}/{TRACK}: 40 slices and events laid out anew, {rows} a chunk\n")
    assert "nothing to do" in command("compact", url, "--rows", str(rows))[1]
    assert Store.open(url).digest() == expected == store.digest()
    assert open_lake(url, LAKE).chunksizes["time"][0] == (16 if rows < 16 else 40)
    group = open_store(url)._now.require(LAKE, TRACK)[0]
    assert {array_of(group, name).chunks[0] for name in PIXELS} == {rows}
    xr.testing.assert_identical(before.open_lake(LAKE).load(), open_lake(url, LAKE).load())
    for days in (range(40, 45), range(45, 46)):
        assert store.commit(noisy(days)) is not None  # a writer that was there before
    assert ids(url) == list(range(46)) and verify(store) == []
    with pytest.raises(StoreError, match="0 slices a chunk; give 1 to"):
        compact(store, 0)


def test_compacting_beside_writers_and_readers_loses_and_tears_nothing(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    serial = Store.create(str(tmp_path / "serial"))
    serial.commit(batch(range(36)))
    Store.create(url).commit(batch(range(20)))
    done = Event()

    def write(first: int) -> None:
        store = Store.open(url)
        for day in range(first, 36, 2):
            store.commit(batch([day]))

    def read() -> list[int]:
        reader, seen = open_store(url), []
        while not done.is_set():
            series = reader.refresh().open_lake(LAKE).load()
            days = [int(str(text)[-5:]) for text in series["pass_id"].values]
            expected = slices(days)["surface"].values[:, 0, 0]
            assert np.array_equal(series["surface"].values[:, 0, 0], expected)
            seen.append(len(days))
        return seen

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, first) for first in (20, 21)]
        reader = pool.submit(read)
        store = Store.open(url)
        try:
            for rows in (64, 5, 16):
                compact(store, rows)
            for writer in writers:
                writer.result()
        finally:
            done.set()
        counts = reader.result()
    assert counts == sorted(counts) and len(counts) > 1
    compact(store, 64)
    assert Store.open(url).digest() == serial.digest() and verify(store) == []


def versions_of(url: str, day: int) -> list[str]:
    return list(open_store(url).history(LAKE, TRACK, PASS.format(day)).status)


def test_expiry_gives_up_snapshots_and_no_version(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    first = store.commit(noisy(range(20)))
    store.commit(noisy(range(3), "v2"))
    committed = open_store(url).history(LAKE, TRACK).committed[0]
    before, expected = open_lake(url, LAKE, as_of=first).load(), store.digest()
    with pytest.raises(StoreError, match="give an hour or more"):
        expire(store, timedelta(minutes=5))
    files = sum(path.is_file() for path in Path(url).rglob("*"))
    age(store)
    done = expire(store, timedelta(hours=1))
    assert done.snapshots > 0 and done.files > 0
    assert sum(path.is_file() for path in Path(url).rglob("*")) < files
    assert Store.open(url).digest() == expected
    with pytest.raises(StoreError, match="is expired"):
        open_lake(url, LAKE, as_of=first).load()
    derived = [one.name for one in VARIABLES if one.derived]  # of a time before there are none
    xr.testing.assert_identical(
        open_lake(url, LAKE, as_of=committed).load(), before.drop_vars(derived, errors="ignore")
    )


def age(store: Store) -> None:
    """Let two hours pass for the engine: it is told of an hour that lies in the future."""
    repository = store.repository

    class Later:
        def expire_snapshots(self, older_than: object) -> object:
            return repository.expire_snapshots(older_than=older_than + timedelta(hours=2))  # type: ignore

        def garbage_collect(self, older_than: object) -> object:
            return repository.garbage_collect(older_than + timedelta(hours=2))  # type: ignore

    store.repository = Later()  # type: ignore[assignment]


def test_a_clock_set_back_is_told_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([1]))
    expected = store.digest()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    with pytest.raises(StoreError, match=r"clock stands 3[56]\d\d s before .*; nothing was written"):
        store.commit(batch([2]))
    monkeypatch.undo()
    assert store.digest() == expected and store.commit(batch([2])) is not None


def test_the_digest_sees_every_value_and_no_way_of_writing(tmp_path: Path) -> None:
    one, other = Store.create(str(tmp_path / "a")), Store.create(str(tmp_path / "b"))
    one.commit(batch(range(30)))
    for days in ([29, 3], [5], list(range(28)), [28]):
        other.commit(batch(days))
    other.commit(batch([3], version="v0"))
    assert one.digest() == other.digest() == command("digest", one.url)[1].strip()
    series = open_lake(one.url, LAKE).load()
    seen = {series_digest(series)}
    for name in series.data_vars:
        changed = series.copy(deep=True)
        values = changed[name].values
        number = np.datetime64("2001-01-01") if values.dtype.kind == "M" else 77
        values.flat[-1] = "x" if values.dtype.kind == "U" else number
        seen.add(series_digest(changed))
    seen.add(series_digest(series.isel(time=slice(None, None, -1))))
    seen.add(series_digest(series.assign_attrs(track="T012")))
    assert len(seen) == len(series.data_vars) + 3


def test_the_digest_outlives_an_export(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(noisy(range(20)))
    series = open_lake(store.url, LAKE)
    # texts as Zarr v3 knows them
    texts = {name: series[name].astype(object) for name in ("pass_id", "version", "granules")}
    series.chunk(time=20).assign(texts).to_zarr(tmp_path / "plain.zarr", consolidated=False, zarr_format=3)
    expected = series_digest(series)
    assert (
        series_digest(xr.open_zarr(tmp_path / "plain.zarr", consolidated=False, decode_coords="all"))
        == expected
    )
