"""One small archive that several tests look at, and grounds that take a second to build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from glaciolake.catalog.simulate.archive import Archive, write_archive
from glaciolake.catalog.simulate.order import find_site, make_order
from glaciolake.catalog.simulate.terrain import Ground, build_ground

SUMMER = (date(2023, 6, 9), date(2023, 8, 5))
LAKES = ("tsho-rolpa", "chamlang", "tilicho")


def one_by_one(work: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
    """Map over tasks in this thread."""
    return [work(task) for task in tasks]


@pytest.fixture(scope="session")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder: Path = tmp_path_factory.mktemp("simulated") / "archive"
    return write_archive(folder, make_order(LAKES, SUMMER), one_by_one)


@pytest.fixture(scope="session")
def ground() -> Callable[[str], Ground]:
    built: dict[str, Ground] = {}

    def of(name: str) -> Ground:
        if name not in built:
            built[name] = build_ground(find_site(name), 0)
        return built[name]

    return of
