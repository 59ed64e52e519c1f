"""The chain on an archive that fails: complete in spite of it, or incomplete and said so; never wrong."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asf_search
import numpy as np
import pytest
from distributed import LocalCluster
from numpy.typing import NDArray

from glaciolake.catalog import read_again, retries
from glaciolake.catalog.asf import AsfSource
from glaciolake.catalog.errors import CredentialsMissing, SearchFailed
from glaciolake.catalog.folder import FolderSource
from glaciolake.catalog.granule import Band
from glaciolake.catalog.request import Request
from glaciolake.catalog.retries import REFUSED_WAITS_S
from glaciolake.catalog.simulate.serve.faults import meets
from glaciolake.catalog.simulate.serve.options import FAULTS, Options
from glaciolake.catalog.simulate.serve.server import Served, served
from glaciolake.catalog.sources import open_source
from glaciolake.catalog.stac import StacSource
from glaciolake.catalog.static_catalog import build
from glaciolake.catalog.store import Store
from glaciolake.pipeline.config import RunConfig, load_config
from glaciolake.pipeline.errors import LoginRefused
from glaciolake.pipeline.run import Summary, run
from tests.pipeline.chain import FIRST, SHAPE, lake_power, write_network, write_registry
from tests.pipeline.scenes import write_granule
from tests.pipeline.stores import differences

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")  # half a header, seen, refused
LAKE, TRACK = "test-tsho", "T121"
PASSES, THREADS = 8, 3
PLACE = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": ":0"}
MOST_SEEDS = 5
WAITS = ("READ_WAITS_S", "REFUSED_WAITS_S", "BUSY_WAITS_S")
Start = Callable[..., Served]
Configure = Callable[..., RunConfig]
Strike = Callable[[Served, Mapping[int, str]], None]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with LocalCluster(n_workers=1, threads_per_worker=THREADS, processes=False, **PLACE) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of which each pass has an image and a mask of its own: whatever is lost would show."""
    archive = tmp_path_factory.mktemp("archive")
    place = archive / "scenes" / "T121-258662-IW2"
    place.mkdir(parents=True)
    for number in range(PASSES):
        mask = np.zeros(SHAPE, np.uint8)
        mask[50:60, 60 : 62 + number] = 2  # layover over a part of the lake
        pixels: dict[Band, NDArray[Any]] = {"vv": lake_power(number, 15 + number / 10), "mask": mask}
        write_granule(place, FIRST + timedelta(days=12 * number), pixels)
    build(FolderSource(archive), archive / "catalog")
    return archive


@pytest.fixture(scope="module")
def configure(scheduler: str, tmp_path_factory: pytest.TempPathFactory) -> Configure:
    place = tmp_path_factory.mktemp("settings")
    registry, network = write_registry(place / "lakes.geojson"), write_network(place / "dark.onnx")

    def settings(source: object, store: Path) -> RunConfig:
        told: dict[str, Any] = {
            "source": str(source),
            "store": str(store),
            "lakes": [LAKE],
            "registry": registry,
            "model": str(network),
            "engine": "onnxruntime",
            "slices_per_piece": 3,
            "cluster.scheduler": scheduler,
        }
        return load_config(None, told)

    return settings


@pytest.fixture(scope="module")
def undisturbed(folder: Path, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Store of a run on the folder itself."""
    config = configure(folder, tmp_path_factory.mktemp("undisturbed") / "lakes.icechunk")
    assert run(config).complete
    return config.store


@pytest.fixture
def start(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Serve the folder, and lead this process there; it waits a twentieth of the time, and forgets others."""
    monkeypatch.setattr(asf_search, "REPORT_ERRORS", False)
    monkeypatch.setattr(read_again, "REFUSALS", read_again.Refusals())
    for waits in WAITS:
        shorter = tuple(wait_s / 20 for wait_s in getattr(read_again, waits))
        monkeypatch.setattr(read_again, waits, shorter)
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.02")
    monkeypatch.setenv(*next(iter(read_again.ASK_AGAIN.items())))
    monkeypatch.setenv("GLACIOLAKE_CACHE", str(tmp_path / "cache"))
    with ExitStack() as open_until_the_end:

        def begin(**options: Any) -> Served:
            told = {"stall_s": 0.05, "retry_after_s": 0, "seed": 3} | options
            running: AbstractContextManager[Served] = served(folder, Options(**told))
            archive = open_until_the_end.enter_context(running)
            for name, value in archive.environment.items():
                monkeypatch.setenv(name, value)
            return archive

        yield begin


@pytest.fixture
def strike(monkeypatch: pytest.MonkeyPatch) -> Strike:
    """Let requests fail by their number, counted for each address: no luck is in it, and no seed."""

    def plan(archive: Served, kinds: Mapping[int, str]) -> None:
        asked: Counter[str] = Counter()

        def draw(host: str, method: str, path: str) -> str | None:
            asked[f"{host}{path}"] += 1
            kind = kinds.get(asked[f"{host}{path}"])
            return kind if kind in meets(host, method) else None

        monkeypatch.setattr(archive.faults, "draw", draw)

    return plan


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try twice, so that what fails for ever is known soon."""
    for waits in WAITS:
        monkeypatch.setattr(read_again, waits, (0.01,))


def source_of(archive: Served, name: str) -> str:
    return {"stac": archive.stac_url, "mirror": archive.mirror_url}.get(name, name)


def pass_ids(summary: Summary) -> set[str]:
    return {key.rpartition("/")[2] for key in summary.failed}


@pytest.mark.parametrize("name", ["stac", "mirror", "asf", "cmr-stac"])
def test_every_source_gives_the_store_that_the_folder_gives(
    start: Start, configure: Configure, undisturbed: str, tmp_path: Path, name: str
) -> None:
    archive = start()
    config = configure(source_of(archive, name), tmp_path / "lakes.icechunk")
    summary = run(config)
    assert summary.complete and summary.counts[0].n_new == PASSES
    assert differences(config.store, undisturbed) == []
    assert archive.refused == [] and archive.leaked == [] and archive.files.refused_logins == 0
    assert (archive.requests["signed"] > 0) == (name != "mirror")


@pytest.mark.parametrize("name", ["stac", "mirror", "asf"])
def test_a_tenth_of_all_requests_may_fail_and_nothing_shows(
    start: Start, configure: Configure, undisturbed: str, tmp_path: Path, name: str
) -> None:
    """A seed under which too few requests fail proves nothing: then there is a run of the next seed too."""
    met: Counter[str] = Counter()
    for seed in range(MOST_SEEDS):
        archive = start(faults={"all": 0.1}, seed=seed)
        config = configure(source_of(archive, name), tmp_path / f"{seed}.icechunk")
        summary = run(config)
        assert summary.failed == {} and summary.complete and summary.counts[0].n_new == PASSES
        assert differences(config.store, undisturbed) == []
        assert archive.refused == [] and archive.leaked == []
        met += archive.faults.sent
        if len(met) >= 2 and met.total() >= PASSES / 2:
            return
    pytest.fail(f"in {MOST_SEEDS} runs with a tenth of all requests failing there were only {met}")


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "403-head"])
def test_each_fault_may_strike_every_file_again_and_again(
    start: Start, strike: Strike, configure: Configure, undisturbed: str, tmp_path: Path, kind: str
) -> None:
    archive = start()
    strike(archive, {1: kind, 3: kind})
    config = configure(archive.stac_url, tmp_path / "lakes.icechunk")
    assert run(config).complete and archive.faults.sent[kind] >= 2 * PASSES  # an image and a mask each
    assert differences(config.store, undisturbed) == []


@pytest.mark.parametrize("name", ["stac", "asf"])
def test_searches_of_many_pages_survive(
    start: Start, strike: Strike, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    archive = start()
    kinds = ("401", "429", "500", "stall", "truncate")
    strike(archive, dict(zip(range(1, 2 * PASSES, 2), cycle(kinds), strict=False)))  # each page once
    monkeypatch.setattr("glaciolake.catalog.stac.PAGE_ITEMS", 1)
    monkeypatch.setattr("asf_search.CMR.translate.CMR_PAGE_SIZE", 1)
    everything = Request(None, FIRST, FIRST + timedelta(days=1000))
    source = open_source(source_of(archive, name))
    assert isinstance(source, StacSource | AsfSource)
    assert len(replace(source, wait_s=0.01).find(everything).items) == PASSES
    assert set(archive.faults.sent) == set(kinds) and archive.faults.sent.total() >= PASSES


@pytest.mark.usefixtures("impatient")
def test_what_fails_for_ever_is_listed_and_filled_in_later(
    start: Start, configure: Configure, undisturbed: str, tmp_path: Path
) -> None:
    kinds = ["401", "429", "500", "stall", "truncate", "expired"]
    days = [FIRST + timedelta(days=12 * number) for number in range(1, 1 + len(kinds))]
    bands = ["VV", "mask"] * 3
    broken = [
        (f"*_{day:%Y%m%d}T*_{band}.tif", kind) for day, band, kind in zip(days, bands, kinds, strict=True)
    ]
    hit = {f"T121_S1A_{day:%Y%m%d}" for day in days}
    archive = start(broken=tuple(broken))
    config = configure(archive.stac_url, tmp_path / "lakes.icechunk")
    summary = run(config)
    assert pass_ids(summary) == hit and not summary.complete
    assert set(archive.faults.sent) == set(kinds)
    held = Store.open(config.store)
    assert not hit & set(held.versions(LAKE, TRACK))  # neither as water nor as no water
    assert {key.rpartition("/")[2] for key in held.quarantine()} == hit
    archive.faults.broken = []
    again = run(config)
    assert again.complete and (again.counts[0].n_new, again.counts[0].n_kept) == (6, PASSES - 6)
    assert differences(config.store, undisturbed) == [] and Store.open(config.store).quarantine() == {}


def test_a_login_that_is_refused_is_told_within_seconds(
    start: Start, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = start()
    waited_s: list[float] = []  # in all threads
    monkeypatch.setattr(read_again, "REFUSED_WAITS_S", REFUSED_WAITS_S)  # as long as they are, but not waited
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waited_s.append))
    monkeypatch.setenv("EARTHDATA_TOKEN", "wrong-token")
    begun_s = time.monotonic()
    summary = run(configure(archive.stac_url, tmp_path / "lakes.icechunk"))
    assert sum(waited_s) > 0 and sum(waited_s) / THREADS + time.monotonic() - begun_s < 15
    assert len(summary.failed) == PASSES and archive.requests["signed"] == 0
    for reason in summary.failed.values():
        assert "the login was refused" in reason and "doctor" in reason and "wrong-token" not in reason


@pytest.mark.usefixtures("impatient")
def test_a_search_that_needs_the_login_says_that_it_was_refused(
    start: Start, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    monkeypatch.setenv("EARTHDATA_TOKEN", "wrong-token")
    with pytest.raises(SearchFailed, match="a login that is not accepted looks like this") as caught:
        run(configure("asf", tmp_path / "lakes.icechunk"))
    assert "wrong-token" not in str(caught.value)


def test_what_is_made_later_joins_later(
    start: Start, configure: Configure, undisturbed: str, tmp_path: Path
) -> None:
    made = FIRST + timedelta(days=12 * 5)
    archive = start(now=datetime(made.year, made.month, made.day, 13, tzinfo=UTC))
    config = configure("asf", tmp_path / "lakes.icechunk")
    assert run(config).counts[0].n_new == 6
    archive.now = None
    assert run(config).counts[0].n_new == PASSES - 6
    assert differences(config.store, undisturbed) == []


def test_stores_that_differ_are_told_apart(
    folder: Path, configure: Configure, undisturbed: str, tmp_path: Path
) -> None:
    config = configure(folder, tmp_path / "lakes.icechunk")
    other = config.model_copy(update={"hide_layover": False})
    run(other)
    assert any("area" in one for one in differences(config.store, undisturbed))


@pytest.fixture
def one_by_one(configure: Configure) -> Iterator[Configure]:
    """Configure runs of which two slices are under way at a time, however late the run hears of them."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **PLACE) as cluster:

        def settings(source: object, store: Path) -> RunConfig:
            config = configure(source, store)
            place = config.cluster.model_copy(update={"scheduler": cluster.scheduler_address})
            return config.model_copy(update={"slices_per_piece": 1, "slices_per_commit": 1, "cluster": place})

        yield settings


@pytest.mark.usefixtures("impatient")
def test_a_login_that_ends_in_mid_run_stops_it_and_a_new_one_goes_on_from_there(
    start: Start, one_by_one: Configure, undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = start()
    mounted = tmp_path / "token"
    mounted.write_text(archive.options.token)
    monkeypatch.delenv("EARTHDATA_TOKEN")
    monkeypatch.setenv("EARTHDATA_TOKEN_FILE", str(mounted))
    monkeypatch.setattr("glaciolake.pipeline.refusals.MOST_REFUSED", 3)
    config = one_by_one(archive.stac_url, tmp_path / "lakes.icechunk")

    def expire(done: int, _: int) -> None:
        if done == 1:
            archive.files.logins._options = replace(archive.options, token="the-next-one")

    with pytest.raises(LoginRefused, match=r"for the last 3 slices; .*; run the same command again"):
        run(config, expire)
    held = Store.open(config.store)
    kept = len(held.versions(LAKE, TRACK))
    assert 1 <= kept <= PASSES - 3 and len(held.quarantine()) >= 3
    mounted.write_text("the-next-one\n")
    again = run(config)
    assert again.complete and (again.counts[0].n_kept, again.counts[0].n_new) == (kept, PASSES - kept)
    assert differences(config.store, undisturbed) == [] and Store.open(config.store).quarantine() == {}


def test_a_token_that_says_it_has_expired_is_not_shown_at_all(
    start: Start, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = start()
    said = base64.urlsafe_b64encode(b'{"exp": 1700000000}').decode().rstrip("=")
    monkeypatch.setenv("EARTHDATA_TOKEN", f"head.{said}.signature")
    with pytest.raises(CredentialsMissing, match="token of EARTHDATA_TOKEN expired on 2023-11-14 22:13 UTC"):
        run(configure(archive.stac_url, tmp_path / "lakes.icechunk"))
    assert archive.files.refused_logins == 0
