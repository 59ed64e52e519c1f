"""The store loses nothing, doubles nothing, and is never half seen."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import icechunk
import numpy as np
import pytest
import rioxarray  # noqa: F401  # gives the .rio accessor that users read the CRS with
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from glaciolake.catalog import store_lock
from glaciolake.catalog.errors import StoreError
from glaciolake.catalog.readers import open_lake
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_address import local_path
from tests.catalog.store_data import HEADER, batch, slices


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    xr.testing.assert_identical(one.load(), other.load())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_any_batching_give_the_serial_store(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    days = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(days)), max_size=4)))
    folder = tmp_path_factory.mktemp("stores")
    serial, shuffled = Store.create(str(folder / "a")), Store.create(str(folder / "b"))
    serial.commit(batch(sorted(days)))
    for start, stop in zip([0, *cuts], [*cuts, len(days)], strict=True):
        if start < stop:
            shuffled.commit(batch(days[start:stop]))
    same(serial.read("tsho-rolpa", "T121"), shuffled.read("tsho-rolpa", "T121"))


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    assert store.commit(batch([1, 2, 3])) is not None
    assert store.commit(batch([3, 1])) is None
    assert store.read("tsho-rolpa", "T121").sizes["time"] == 3


def test_a_new_version_replaces_its_slice_and_no_other(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([1, 2, 3]))
    before = store.read("tsho-rolpa", "T121").load()
    store.commit(batch([2], version="v2"))
    after = store.read("tsho-rolpa", "T121").load()
    assert list(after.version.values) == ["v1-1", "v2-2", "v1-3"]
    same(after.isel(time=[0, 2]), before.isel(time=[0, 2]))
    assert float(after.area_m2[1]) != float(before.area_m2[1])


def test_a_late_slice_appears_in_time_order(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([10, 40, 50]))
    store.commit(batch([20]))
    read = store.read("tsho-rolpa", "T121")
    assert read.indexes["time"].is_monotonic_increasing
    assert list(read.pass_id.values) == [f"T121_S1A_{day:05d}" for day in (10, 20, 40, 50)]


def test_the_reader_gets_cf_values_units_and_crs(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([1]))
    read = open_lake(str(tmp_path / "s"), "tsho-rolpa", "T121")
    assert read.time.values[0] == np.datetime64("1970-01-02")
    assert read.area_m2.attrs["units"] == "m2"
    assert read.rio.crs.to_epsg() == 32645
    assert tuple(read.rio.transform())[:6] == HEADER.transform
    packed = slices([1])
    np.testing.assert_allclose(
        read.water_probability.values, packed.water_probability.values * 0.004, rtol=1e-6
    )
    assert read.gamma0_vv_db.dtype == np.float32
    assert read.attrs["track"] == "T121"


def test_unknown_pixels_are_nan_and_never_land(tmp_path: Path) -> None:
    packed = slices([1])
    packed["water_probability"].values[:] = 255
    packed["surface"].values[:] = 255
    Store.create(str(tmp_path / "s")).commit(Batch(HEADER, packed))
    read = open_lake(str(tmp_path / "s"), "tsho-rolpa", "T121")
    assert np.isnan(read.water_probability.values).all()
    assert np.isnan(read.surface.values).all()


def test_failures_are_kept_with_their_reason_until_the_slice_is_written(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    failed = {"T121_S1A_00002": {"kind": "unreadable", "reason": "x.tif is truncated"}}
    store.commit(Batch(HEADER, slices([1]), failed))
    assert store.quarantine()["tsho-rolpa/T121/T121_S1A_00002"]["reason"] == "x.tif is truncated"
    assert store.commit(Batch(HEADER, None, failed)) is None
    store.commit(batch([2]))
    assert store.quarantine() == {}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"crs": "EPSG:32644"}, "lies on grid EPSG:32645"),
        ({"model_sha256": "cd" * 32, "model_name": "other"}, "was made with model tiny"),
        ({"settings_digest": "s2", "settings": '{"window_px": 5}'}, "was made with settings"),
    ],
)
def test_two_ways_of_making_a_series_never_mix(tmp_path: Path, changed: dict[str, str], words: str) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([1]))
    with pytest.raises(StoreError, match=words):
        store.commit(Batch(replace(HEADER, **changed), slices([2])))  # type: ignore[arg-type]
    assert store.versions("tsho-rolpa", "T121") == {"T121_S1A_00001": "v1-1"}


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    Store.create(str(tmp_path / "s"))
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(tmp_path / "s")))
    session = repository.writable_session("main")
    zarr.open_group(session.store, mode="r+").attrs["glaciolake_store_version"] = 99
    session.commit("from the future")
    with pytest.raises(StoreError, match="has version 99"):
        Store.open(str(tmp_path / "s"))


def test_a_folder_of_many_folders_is_not_touched(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / "mine" / str(number)).mkdir(parents=True)
        (tmp_path / "mine" / str(number) / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="not a glaciolake store"):
        Store.create(str(tmp_path / "mine"))
    assert len(list((tmp_path / "mine").rglob("*"))) == 24


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="not a glaciolake store"):
        Store.create(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_asking_for_a_series_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    Store.create(str(tmp_path / "s")).commit(batch([1]))
    with pytest.raises(StoreError, match="it holds tsho-rolpa: T121"):
        open_lake(str(tmp_path / "s"), "tsho-rolpa", "T012")
    with pytest.raises(StoreError, match="no glaciolake store at"):
        open_lake(str(tmp_path / "nowhere"), "tsho-rolpa", "T012")


KILLED = """
import sys
from glaciolake.catalog.store import Store
from tests.catalog.store_data import batch
store = Store.create(sys.argv[1])
for day in range(1000):
    store.commit(batch([day]))
    print(day, flush=True)
"""


def test_a_killed_writer_leaves_whole_slices_and_the_next_run_completes_them(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    root = Path(__file__).parents[2]
    for seconds in (0.15, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), url],
            cwd=root,
            stdout=subprocess.PIPE,
            env=dict(os.environ),
        )
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = Store.open(url)
    done = len(store.versions("tsho-rolpa", "T121"))
    assert 0 < done < 1000
    read = store.read("tsho-rolpa", "T121").load()
    expected = Store.create(str(tmp_path / "serial"))
    expected.commit(batch(range(done)))
    same(read, expected.read("tsho-rolpa", "T121"))
    store.commit(batch(range(done + 5)))
    assert len(store.versions("tsho-rolpa", "T121")) == done + 5


WRITER = """
import sys
from glaciolake.catalog.store import Store
from tests.catalog.store_data import batch
store = Store.create(sys.argv[1])
for day in range(int(sys.argv[2]), 24, 2):
    store.commit(batch([day]))
"""


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    Store.create(url)
    root = Path(__file__).parents[2]
    both = [subprocess.Popen([sys.executable, "-c", WRITER, url, str(k)], cwd=root) for k in (0, 1)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(Store.open(url).versions("tsho-rolpa", "T121")) == 24


STARTER = """
import sys, time
from pathlib import Path
from glaciolake.catalog.store import Store
from tests.catalog.store_data import batch
Path(sys.argv[2] + sys.argv[3]).touch()
while len(list(Path(sys.argv[2]).parent.glob(Path(sys.argv[2]).name + "*"))) < 4:
    time.sleep(0.001)
Store.create(sys.argv[1]).commit(batch([int(sys.argv[3])]))
"""


@pytest.mark.parametrize("name", ["s", "deep/er/my store"])
def test_four_processes_that_start_at_once_on_a_new_path_share_one_store(tmp_path: Path, name: str) -> None:
    url, ready = str(tmp_path / name), str(tmp_path / "ready-")
    root = Path(__file__).parents[2]
    them = [subprocess.Popen([sys.executable, "-c", STARTER, url, ready, str(k)], cwd=root) for k in range(4)]
    assert [process.wait() for process in them] == [0, 0, 0, 0]
    assert len(Store.open(url).versions("tsho-rolpa", "T121")) == 4


def test_a_store_whose_maker_was_killed_is_completed(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    icechunk.Repository.create(icechunk.local_filesystem_storage(url))
    with pytest.raises(StoreError, match="left half made"):
        Store.open(url)
    assert Store.create(url).commit(batch([1])) is not None
    assert list(Store.open(url).versions("tsho-rolpa", "T121")) == ["T121_S1A_00001"]


def test_a_creation_killed_before_its_first_reference_is_begun_anew(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    icechunk.Repository.create(icechunk.local_filesystem_storage(url))
    shutil.rmtree(tmp_path / "s" / "refs")
    assert Store.create(url).commit(batch([1])) is not None
    shutil.rmtree(tmp_path / "s" / "refs")  # now it holds slices: nobody may clear it
    files = sorted((tmp_path / "s").rglob("*"))
    with pytest.raises(StoreError, match="not a glaciolake store"):
        Store.create(url)
    assert sorted((tmp_path / "s").rglob("*")) == files


def test_an_empty_root_without_a_version_is_completed_and_a_full_one_is_not(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        repository = icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / name)))
        session = repository.writable_session("main")
        root = zarr.create_group(session.store)
        if name == "full":
            root.create_group("mine")
        session.commit("without a version")
    assert Store.create(str(tmp_path / "empty")).series() == {}
    for step in (Store.open, Store.create):
        with pytest.raises(StoreError, match="has version None"):
            step(str(tmp_path / "full"))


@pytest.mark.parametrize("url", ["file/x", "file/x/y", "file"])
def test_a_path_through_a_file_is_refused_with_what_to_do(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match=r"could not be written: .*file is a file; give a path"):
        Store.create(str(tmp_path / url))
    with pytest.raises(StoreError, match="no glaciolake store at"):
        Store.open(str(tmp_path / url))


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="this system has no /sys")
def test_a_folder_of_the_system_is_refused_with_the_cause() -> None:
    with pytest.raises(StoreError, match=r"'/sys/x' could not be written: .*(nothing|[Pp]ermi)"):
        Store.create("/sys/x")


def test_looking_for_a_store_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no glaciolake store at"):
        Store.open(str(tmp_path / "nowhere" / "s"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", ["snapshots", "manifests"])
def test_a_store_that_lost_files_says_so_and_is_not_taken_for_an_empty_one(tmp_path: Path, lost: str) -> None:
    url = str(tmp_path / "s")
    Store.create(url).commit(batch([1]))
    shutil.rmtree(tmp_path / "s" / lost)
    if lost == "snapshots":
        for step in (Store.open, Store.create):
            with pytest.raises(StoreError, match=r"could not be read: .*snapshots.* from a copy") as caught:
                step(url)
            assert "\n" not in str(caught.value) and "free space" not in str(caught.value)
        return
    store = Store.open(url)
    for read in (store.read, store.versions, store.granules):
        with pytest.raises(StoreError, match=r"could not be read: .*manifests.* from a copy") as caught:
            read("tsho-rolpa", "T121")
        assert "\n" not in str(caught.value)


def test_a_store_that_loses_its_files_while_open_says_so(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([1]))
    shutil.rmtree(tmp_path / "s" / "snapshots")
    fresh = Store("s", icechunk.Repository.open(icechunk.local_filesystem_storage(str(tmp_path / "s"))))
    for read in (fresh.series, fresh.quarantine, lambda: fresh.header("tsho-rolpa", "T121")):
        with pytest.raises(StoreError, match="could not be read"):
            read()


def test_an_object_store_that_refuses_us_is_named_with_its_answer(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(status=403)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    keys |= {"AWS_ENDPOINT_URL": f"http://localhost:{httpserver.port}", "AWS_ALLOW_HTTP": "true"}
    for key, value in keys.items():
        monkeypatch.setenv(key, value)
    for step in (Store.open, Store.create):
        with pytest.raises(StoreError, match="'s3://bucket/lakes' could not be read: ") as caught:
            step("s3://bucket/lakes")
        assert "\n" not in str(caught.value) and "Check the address" in str(caught.value)
    asked = {request.path.split("/")[1] for request, _ in httpserver.log}
    assert asked == {"bucket"}, "a server of one's own has one name: the bucket belongs into the path"


def test_addresses_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/lakes") == local_path("file://~/lakes") == tmp_path / "lakes"
    assert local_path("file:///data/my%20lakes") == local_path("/data/my lakes") == Path("/data/my lakes")
    assert local_path("/data/my%20lakes") == Path("/data/my%20lakes")
    assert local_path("s3://bucket/lakes") is None
    with pytest.raises(StoreError, match="an absolute path is needed"):
        local_path("file://data/lakes")
    with pytest.raises(StoreError, match="give the path in full"):
        local_path("~no-such-user-here/lakes")


def test_only_settings_that_differ_are_named() -> None:
    old = replace(HEADER, settings='{"a": 1, "despeckle": {"looks": 4.9, "window_px": 7}}')
    new = replace(
        old, settings='{"a": 1, "b": true, "despeckle": {"looks": 5.0, "window_px": 7}}', settings_digest="s2"
    )
    with pytest.raises(StoreError, match="was made with settings") as caught:
        new.check_same(old, "s")
    assert "b = absent, despeckle.looks = 4.9, this run uses b = true, despeckle.looks = 5.0" in str(
        caught.value
    )
    assert "window_px" not in str(caught.value)
    with pytest.raises(StoreError, match="code or inputs beside the settings differ"):
        replace(old, settings_digest="s2").check_same(old, "s")


def test_granules_of_a_series_can_be_asked_for(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    assert store.granules("tsho-rolpa", "T121") == {}
    store.commit(batch([7, 3]))
    assert store.granules("tsho-rolpa", "T121") == {"T121_S1A_00003": "G3", "T121_S1A_00007": "G7"}


ONE = "OPERA_L2_RTC-S1_T121-258662-IW2_20210701T121314Z_20210702T000000Z_S1A_30_v1.0"
OTHER = ONE.replace("20210701", "20210713")


def test_refusals_of_other_sources_and_runs_stay_until_they_are_settled(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    failed = {"T121_S1A_00002": {"kind": "unreadable", "reason": "truncated"}}
    store.commit(Batch(HEADER, None, failed))
    first = {f"{ONE}_VV.tif": "truncated", f"{OTHER}_VV.tif": "no CRS", "notes.tif": "no RTC name"}
    assert store.note_refused(first, source="a") is not None
    assert store.note_refused(first, source="a") is None
    assert store.note_refused({"x.tif": "no RTC name"}, source="b") is not None
    assert store.note_refused({}, source="c") is None
    assert len(store.quarantine()) == 5
    store.note_refused({f"{OTHER}_VV.tif": "empty"}, source="a", used=[ONE])
    assert store.quarantine() == {
        "tsho-rolpa/T121/T121_S1A_00002": failed["T121_S1A_00002"],
        f"{OTHER}_VV.tif": {"kind": "refused", "reason": "empty", "source": "a"},
        "x.tif": {"kind": "refused", "reason": "no RTC name", "source": "b"},
    }
    store.note_refused({}, source="c", used={"x"})
    assert "x.tif" not in store.quarantine()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; run as an ordinary user")
def test_a_store_that_cannot_be_written_says_so_and_is_unharmed(tmp_path: Path) -> None:
    store = Store.create(str(tmp_path / "s"))
    store.commit(batch([1]))
    for folder in (tmp_path / "s").rglob("*"):
        folder.chmod(0o500)
    with pytest.raises(StoreError, match="could not be written"):
        store.commit(batch([2]))


FULL = """
import resource, sys
from dataclasses import replace
from glaciolake.catalog.store import Batch, Store
from tests.catalog.store_data import HEADER, slices
import numpy as np
store = Store.open(sys.argv[1])
# No file may grow beyond 2 kB from here on: what a full disk does to whoever writes.
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
packed = slices(range(10, 40))
noise = np.random.default_rng(0).integers(0, 250, packed.water_probability.shape)
packed["water_probability"].values[:] = noise
try:
    store.commit(Batch(HEADER, packed))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_takes_no_more_gives_a_clear_error_and_harms_nothing(tmp_path: Path) -> None:
    url = str(tmp_path / "s")
    Store.create(url).commit(batch([1, 2]))
    before = Store.open(url).read("tsho-rolpa", "T121").load()
    done = subprocess.run(
        [sys.executable, "-c", FULL, url], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert "StoreError" in done.stdout and "free space" in done.stdout, (done.stdout, done.stderr)
    same(Store.open(url).read("tsho-rolpa", "T121"), before)
    Store.open(url).commit(batch([3]))
    assert len(Store.open(url).versions("tsho-rolpa", "T121")) == 3


def test_a_lock_that_is_never_given_back_is_told_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(tmp_path / "s")
    store = Store.create(url)
    monkeypatch.setattr(store_lock, "PATIENCE_S", 0.1)
    with (
        store_lock.single_writer(url),
        pytest.raises(StoreError, match=r"another process .* holds .*s\.lock"),
    ):
        store.commit(batch([1]))
    assert store.commit(batch([1])) is not None
