"""Whoever is killed, whenever: the store is that of a serial run, and no reader ever sees anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from glaciolake.catalog.store import Store
from tests.catalog.store_kills import (
    Seen,
    Storm,
    deliveries,
    forks,
    read_on,
    rows_of_all,
    serial_digest,
    write,
)


def test_writers_killed_at_any_moment_leave_the_serial_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    url, context = str(tmp_path / "storm"), forks()
    work = deliveries(["a", "b"], 16)
    Store.create(url)
    stop, answers = context.Event(), context.Queue()
    reader = context.Process(target=read_on, args=(url, stop, answers, 7))
    reader.start()
    storm = Storm(write, url, work, kills=5)
    storm.rage(3, limit_s=120)
    stop.set()
    seen: Seen = answers.get(timeout=30)
    reader.join()
    assert (storm.killed, storm.failed) == (5, 0)
    assert seen.errors == [] and seen.reads > 0
    assert rows_of_all(url, work) == (0, 0)
    assert Store.open(url).digest() == serial_digest(str(tmp_path / "serial"), work)
