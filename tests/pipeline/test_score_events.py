"""Falls of the stored area: seen drainages, false losses, and what no alarm may be raised for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from shapely.geometry import box

from glaciolake.catalog.simulate.truth import Happening, Outline, Truth, read_truth
from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import Flag
from glaciolake.pipeline.score_events import FallScore, change, changes, fall_scores
from glaciolake.pipeline.score_truth import Matched, match_store
from tests.pipeline.score_data import Look, every, in_degrees, write_store, write_truth

HALF, MOST = (15, 10, 20, 20), (15, 10, 25, 18)
POOL = Outline("pool", 0, 8100.0, in_degrees(box(2, 2, 5, 5)))


def scored(
    folder: Path, looks: Sequence[Look], events: Sequence[Happening] = (), pools: Sequence[Outline] = ()
) -> tuple[Matched, Truth]:
    truth = read_truth(write_truth(folder / "archive", looks, events, pools=pools))
    ((found, _),) = match_store(truth, Store.open(write_store(folder / "store", looks)))
    return found, truth


def falls(folder: Path, looks: Sequence[Look], *events: Happening) -> dict[str, FallScore]:
    found, truth = scored(folder, looks, events, [POOL])
    return {one.kind: one for one in fall_scores(found, truth.events)}


def drainage(day: date, last: date | None = None, **options: object) -> Happening:
    return replace(
        Happening("tsho", "partial_drainage", day, last or day, 90_000.0, 45_000.0, True, ""),
        **options,  # type: ignore[arg-type]
    )


def test_a_fall_that_did_not_happen_is_a_false_loss_with_its_name(tmp_path: Path) -> None:
    looks = every(5, 6)
    looks[4] = replace(looks[4], stored=MOST)
    found = falls(tmp_path, looks)
    water = found["open water"]
    assert (water.n, water.n_false, water.n_blind, water.n_true, water.n_true_missed) == (3, 1, 0, 0, 0)
    (one,) = water.falls
    assert (one.series, one.pass_id, one.state) == ("tsho/T121", looks[4].pass_id, "open")
    assert one.drop_percent == pytest.approx(20) and one.true_drop_percent == 0
    assert found["ice"].n == found["landslide dam"].n == 0


def test_a_fall_that_happened_is_none(tmp_path: Path) -> None:
    looks = [*every(5, 4), *(replace(one, lake=HALF) for one in every(5, 7)[4:])]
    looks[5] = replace(looks[5], stored=(15, 10, 25, 20))
    water = falls(tmp_path, looks)["open water"]
    assert (water.n_false, water.n_true, water.n_true_missed) == (0, 2, 1)


def test_a_small_fall_is_noise_and_a_flagged_one_is_a_state(tmp_path: Path) -> None:
    looks = every(5, 6)
    looks[3] = replace(looks[3], stored=(15, 10, 24, 20))
    looks[4] = replace(looks[4], stored=HALF, flags=int(Flag.FROZEN_SEASON))
    looks[5] = replace(looks[5], stored=HALF, flags=int(Flag.INCOMPLETE))
    assert falls(tmp_path, looks)["open water"].n_false == 0


def test_ice_that_looks_like_loss_is_counted_as_ice(tmp_path: Path) -> None:
    looks = every(5, 6)
    looks[4] = replace(looks[4], stored=HALF, state="freezing")
    looks[5] = replace(looks[5], stored=HALF, state="frozen", flags=int(Flag.FROZEN_SEASON))
    found = falls(tmp_path, looks)
    assert (found["ice"].n, found["ice"].n_false) == (1, 1)
    assert found["open water"].n_false == 0


def test_a_lake_that_falls_while_a_landslide_dam_stands_nearby_is_a_false_alarm(tmp_path: Path) -> None:
    looks = every(5, 8)
    looks[4] = replace(looks[4], stored=HALF)
    dam = drainage(looks[4].day, looks[6].day, lake="pool", kind="landslide_dam", is_lake_drainage=False)
    found = falls(tmp_path, looks, dam)
    assert (found["landslide dam"].n, found["landslide dam"].n_false) == (3, 1)


def test_a_drainage_is_measured_between_the_open_slices_around_it(tmp_path: Path) -> None:
    looks = [*every(5, 4), *(replace(one, lake=HALF) for one in every(5, 8)[4:])]
    looks[3] = replace(looks[3], flags=int(Flag.INCOMPLETE), stored=HALF)
    looks[4] = replace(looks[4], state="freezing")
    looks[5] = replace(looks[5], stored=(15, 10, 21, 20))
    found, truth = scored(tmp_path, looks, [drainage(date(2022, 6, 18), date(2022, 6, 19))])
    (one,) = changes(found, truth.events)
    assert (one.before, one.after) == (looks[2].pass_id, looks[5].pass_id)
    assert one.stored_percent == pytest.approx(-40) and one.true_percent == pytest.approx(-50)
    assert one.recovered == pytest.approx(0.8) and one.seen
    assert one.blind_percent == 0 and one.event_percent == pytest.approx(-50)
    assert one.delay_days == pytest.approx(7 + (11 * 60 + 30) / 86400)
    assert (one.first_day, one.last_day) == ("2022-06-18", "2022-06-19")


def test_a_drainage_that_the_store_does_not_show_is_not_seen(tmp_path: Path) -> None:
    whole = (15, 10, 25, 20)
    looks = [*every(5, 4), *(replace(one, lake=HALF, stored=whole) for one in every(5, 8)[4:])]
    found, truth = scored(tmp_path, looks, [drainage(date(2022, 6, 18)), drainage(date(2022, 7, 30))])
    first, late = changes(found, truth.events)
    assert first.stored_percent == 0 and first.recovered == 0 and not first.seen
    assert late.before and late.after == "" and math.isnan(late.delay_days) and not late.seen


def test_events_of_other_lakes_are_passed_over(tmp_path: Path) -> None:
    found, truth = scored(tmp_path, every(5, 8), [drainage(date(2022, 6, 18), lake="other")])
    assert list(changes(found, truth.events)) == []


def test_a_change_of_nothing_is_no_number() -> None:
    assert change(100.0, 80.0) == pytest.approx(-20)
    assert math.isnan(change(0.0, 80.0))
