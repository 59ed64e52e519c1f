"""The chain on a simulated archive: the same through every source; what is broken never passes for dry."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from glaciolake.catalog.simulate.archive import Archive, write_archive
from glaciolake.catalog.simulate.order import make_order
from glaciolake.catalog.simulate.serve.options import Options
from glaciolake.catalog.simulate.serve.server import served
from glaciolake.catalog.simulate.truth import read_truth
from glaciolake.catalog.store import Store
from glaciolake.pipeline.config import RunConfig, load_config
from glaciolake.pipeline.run import run
from tests.pipeline.stores import differences

SUMMER = (date(2024, 7, 1), date(2024, 8, 20))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return write_archive(tmp_path_factory.mktemp("simulated") / "archive", make_order(["thame"], SUMMER))


def configured(source: object, store: Path, scheduler: str, registry: Path) -> RunConfig:
    told: dict[str, Any] = {
        "source": str(source),
        "store": str(store),
        "lakes": ["thame", "thame-upper"],
        "registry": registry,
        "engine": "onnxruntime",
        "cluster.scheduler": scheduler,
    }
    return load_config(None, told)


def test_folder_catalogue_api_and_archive_give_the_same_store(
    archive: Archive, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def through(source: object, name: str) -> str:
        config = configured(source, tmp_path / name, scheduler, archive.registry)
        assert run(config).complete
        return config.store

    folder = through(archive.folder, "folder")
    truth = read_truth(archive.folder)
    held = {lake: sorted(tracks) for lake, tracks in Store.open(folder).series().items()}
    assert held == {lake: ["T012", "T085", "T121"] for lake in ("thame", "thame-upper")}
    due = truth.passes[truth.passes.acquired & (truth.passes.lake == "thame")]
    stored = [name for track in held["thame"] for name in Store.open(folder).versions("thame", track)]
    assert sorted(stored) == sorted(due.pass_id)  # pass ids of the truth are those of the store
    assert differences(through(archive.catalog, "catalog"), folder) == []
    with served(archive.folder, Options()) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        assert differences(through(running.stac_url, "stac"), folder) == []
        assert differences(through("asf", "asf"), folder) == []
        assert running.refused == [] and running.leaked == [] and running.requests["signed"] > 0


def test_broken_granules_leave_slices_out_by_name_and_none_becomes_a_dry_lake(
    scheduler: str, tmp_path: Path
) -> None:
    shares = {"truncated": 0.15, "crs": 0.15, "nan": 0.15, "html": 0.15}
    broken = write_archive(tmp_path / "archive", make_order(["chamlang"], SUMMER, seed=2, damage=shares))
    assert len(set(broken.damaged.values())) >= 3
    config = configured(broken.catalog, tmp_path / "store", scheduler, broken.registry)
    summary = run(config.model_copy(update={"lakes": ("chamlang",)}))
    passes = read_truth(broken.folder).passes
    hit = {
        f"chamlang/{row['track']}/{row['pass_id']}"
        for row in passes.to_dict("records")
        if any(name in broken.damaged for name in row["granules"].split())
    }
    assert set(summary.failed) == hit and not summary.complete
    stored = Store.open(config.store)
    held = {f"chamlang/{t}/{name}" for t in ("T012", "T121") for name in stored.versions("chamlang", t)}
    assert not held & hit
    assert held | hit == {f"chamlang/{r.track}/{r.pass_id}" for r in passes[passes.acquired].itertuples()}
