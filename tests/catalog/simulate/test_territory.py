"""What lies around a lake is its own, whichever other sites an archive holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glaciolake.catalog.simulate.archive import tasks_of
from glaciolake.catalog.simulate.generated import sites_of
from glaciolake.catalog.simulate.granules import lattice_of
from glaciolake.catalog.simulate.imaging import patches_of, sites_in, write_burst
from glaciolake.catalog.simulate.order import find_site, make_order
from glaciolake.catalog.simulate.radar import Frame, frame_of
from glaciolake.catalog.simulate.terrain import Ground
from glaciolake.catalog.simulate.territory import away_from_lakes_m, territories
from tests.catalog.simulate.conftest import SUMMER
from tests.catalog.simulate.drawing import read_square

Grounds = Callable[[str], Ground]

SURROUNDINGS_M = 500.0
EPSG = 32645
TRACKS_ONCE = (date(2023, 7, 2), date(2023, 7, 12))
NEIGHBOURS = [("chamlang", "hongu-2"), ("thame", "lumding")]
"""Named sites whose squares overlap, as `test_squares_overlap_where_it_is_known` finds them."""


def written(folder: Path, lakes: Sequence[str]) -> Path:
    """Write the granules and static layers of one burst a track."""
    tasks = {task.burst.track: task for task in tasks_of(make_order(lakes, TRACKS_ONCE), folder)}
    for task in tasks.values():
        write_burst(task)
    return folder


def around(path: Path, ground: Ground) -> NDArray[Any]:
    """Pixels of a file within `SURROUNDINGS_M` of a site's lakes."""
    frame = frame_of(ground.site, EPSG)
    near = away_from_lakes_m(ground, frame) < SURROUNDINGS_M
    assert not (near[[0, -1]].any() or near[:, [0, -1]].any())  # all of them lie in the site's square
    values: NDArray[Any] = read_square(path, frame)[near]
    return values


@pytest.mark.parametrize(("one", "other"), NEIGHBOURS)
def test_a_lake_s_surroundings_are_the_same_whether_its_neighbour_is_ordered_or_not(
    tmp_path: Path, ground: Grounds, one: str, other: str
) -> None:
    both = written(tmp_path / "both", [one, other])
    for lake in (one, other):
        alone = written(tmp_path / lake, [lake])
        files = [path.relative_to(alone) for path in alone.rglob("*.tif")]
        assert len(files) >= 24  # two tracks or three, a granule twice and static layers each
        for file in files:
            mine, shared = (around(archive / file, ground(lake)) for archive in (alone, both))
            np.testing.assert_array_equal(mine, shared, err_msg=str(file))


def squares_overlap(one: Frame, other: Frame) -> bool:
    return all(
        abs(a - b) < 30 * (one.size_px if a < b else other.size_px)
        for a, b in ((one.left_m, other.left_m), (-one.top_m, -other.top_m))
    )


def test_squares_overlap_where_it_is_known() -> None:
    frames = {site.id: frame_of(site, EPSG) for site in sites_of(40)}
    found = {
        (one, other)
        for one, other in itertools.combinations(frames, 2)
        if squares_overlap(frames[one], frames[other])
    }
    assert found == set(NEIGHBOURS)


@pytest.mark.parametrize("names", NEIGHBOURS)
def test_each_shared_pixel_is_shown_once_and_no_seam_comes_near_a_lake(
    ground: Grounds, names: tuple[str, str]
) -> None:
    burst = next(one for one, held in sites_in(make_order(names, SUMMER)).items() if len(held) == 2)
    frames = [frame_of(find_site(name), EPSG) for name in names]
    away_m = [away_from_lakes_m(ground(name), frame) for name, frame in zip(names, frames, strict=True)]
    lattice = lattice_of(burst, frames)
    own = territories(lattice, frames, away_m)
    shown, covered = np.zeros((2, lattice.rows, lattice.columns), int)
    for frame, mine, away in zip(frames, own, away_m, strict=True):
        assert mine[away < SURROUNDINGS_M].all()
        shown[lattice.place(frame)] += mine
        covered[lattice.place(frame)] += 1
    assert (covered == 2).any() and np.array_equal(shown, np.minimum(covered, 1))
    again = territories(lattice, frames[::-1], away_m[::-1])[::-1]  # nor does the order of the sites matter
    assert all(np.array_equal(a, b) for a, b in zip(own, again, strict=True))
    for patch, mine in zip(patches_of(burst, names, 0), own, strict=True):
        assert not (patch.inside & ~mine).any()
