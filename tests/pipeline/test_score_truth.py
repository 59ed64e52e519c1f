"""Store beside truth: each number by hand, and each way to be told what does not fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from shapely.geometry import box

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.simulate.truth import Outline, read_truth
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.variables import Flag
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.score import Pixels
from glaciolake.pipeline.score_masks import PASSES, YEARS
from glaciolake.pipeline.score_rows import Row, flag_score, pooled_rows, rows_of
from glaciolake.pipeline.score_span import Span
from glaciolake.pipeline.score_truth import NEVER_WRITTEN, Matched, match_store, series_beyond
from tests.pipeline.score_data import (
    HEADER,
    PIXEL_M2,
    TEN,
    Look,
    every,
    in_degrees,
    two_summers,
    write_store,
    write_truth,
)

SHIFTED = (16, 10, 26, 20)
"""The lake of ten by ten pixels, one to the right."""


def matched(folder: Path, looks: Sequence[Look], failed: Sequence[Look] = ()) -> Matched:
    truth = read_truth(write_truth(folder / "archive", looks))
    ((found, _),) = match_store(truth, Store.open(write_store(folder / "store", looks, failed=failed)))
    return found


def row(found: Matched, slices: str) -> Row:
    return next(one for one in rows_of(found) if one.slices == slices)


def test_a_perfect_store_has_no_error(tmp_path: Path) -> None:
    found = matched(tmp_path, two_summers())
    for which in ("open", "unflagged", "all"):
        one = row(found, which)
        assert (one.n_due, one.n_acquired, one.n_area, one.n_no_area, one.n_missing) == (8, 8, 8, 0, 0)
        assert one.visible.bias_m2 == one.visible.rmse_m2 == one.lake.rmse_percent == 0
        assert one.pixels == Pixels(800, 0, 0) and one.pixels.iou == 1
        assert one.within_bounds == one.within_sigma == one.valid_fraction == one.visible_fraction == 1
    assert found.basis == YEARS and found.name == "tsho/T121"


def test_a_lake_one_pixel_to_the_right_is_missed_and_false_by_one_column(tmp_path: Path) -> None:
    looks = [replace(one, stored=SHIFTED) for one in two_summers()]
    one = row(matched(tmp_path, looks), "open")
    assert one.pixels == Pixels(8 * 90, 8 * 10, 8 * 10)
    assert one.pixels.iou == pytest.approx(90 / 110)
    assert one.pixels.missed_share == one.pixels.false_share == pytest.approx(0.1)
    assert one.visible.bias_m2 == 0, "an area alone does not see it"
    assert one.blind_pixels.iou == 1 and math.isnan(one.skill), (
        "nothing is left to remove from a perfect constant"
    )


def test_too_large_an_area_is_a_bias(tmp_path: Path) -> None:
    looks = [replace(one, stored=(15, 10, 25, 22)) for one in two_summers()]
    one = row(matched(tmp_path, looks), "open")
    assert one.visible.bias_m2 == one.visible.rmse_m2 == 20 * PIXEL_M2
    assert one.visible.bias_percent == one.lake.bias_percent == pytest.approx(20)
    assert one.blind_visible.rmse_m2 == one.blind_lake.rmse_m2 == 0
    assert one.within_sigma == 0, "sigma is two pixels, the error twenty"
    assert one.within_bounds == 0


def test_the_constant_itself_has_no_skill(tmp_path: Path) -> None:
    small, large = (15, 10, 25, 18), TEN
    looks = [replace(one, lake=small if one.day.year == 2022 else large) for one in two_summers()]
    looks = [replace(one, stored=large if one.day.year == 2022 else small) for one in looks]
    one = row(matched(tmp_path, looks), "open")
    assert one.pixels == one.blind_pixels == Pixels(8 * 80, 4 * 20, 4 * 20)
    assert one.skill == 0 and one.area_skill == 0


def test_the_constant_is_of_other_years(tmp_path: Path) -> None:
    small = (15, 10, 25, 15)
    looks = [replace(one, lake=small) if one.day.year == 2023 else one for one in two_summers()]
    found = matched(tmp_path, looks)
    of_2022, of_2023 = found.slices.iloc[0], found.slices.iloc[-1]
    assert (of_2022["blind_both"], of_2022["blind_missed"], of_2022["blind_false"]) == (50, 50, 0)
    assert (of_2023["blind_both"], of_2023["blind_missed"], of_2023["blind_false"]) == (50, 0, 50)
    assert of_2022["blind_area_m2"] == of_2022["blind_lake_m2"] == 50 * PIXEL_M2
    assert row(found, "open").blind_visible.rmse_m2 == 50 * PIXEL_M2
    assert row(found, "open").skill == 1 and row(found, "open").area_skill == 1


def test_what_was_not_seen_is_not_missed(tmp_path: Path) -> None:
    hidden = (20, 0, 50, 40)
    looks = [replace(one, unknown=hidden) for one in two_summers()]
    found = matched(tmp_path, looks)
    one = row(found, "open")
    assert one.pixels == one.blind_pixels == Pixels(8 * 50, 0, 0)
    assert one.visible.bias_m2 == 0 and one.lake.bias_percent == pytest.approx(-50)
    assert one.blind_visible.bias_m2 == 0 and one.blind_lake.bias_m2 == 0
    assert one.within_bounds == 1 and one.valid_fraction == one.visible_fraction == 0.5
    assert found.slices["blind_area_m2"].unique().tolist() == [50 * PIXEL_M2]


def test_missing_slices_are_counted_and_named_with_their_reason(tmp_path: Path) -> None:
    looks = two_summers()
    looks[1] = replace(looks[1], is_stored=False)
    looks[2] = replace(looks[2], acquired=False)
    looks[3] = replace(looks[3], is_stored=False, damage="truncated")
    looks[4] = replace(looks[4], has_area=False, flags=int(Flag.INCOMPLETE))
    found = matched(tmp_path, looks, failed=[looks[3]])
    one = row(found, "all")
    assert (one.n_due, one.n_acquired, one.n_area, one.n_no_area, one.n_missing) == (8, 7, 4, 1, 2)
    missing = found.slices[found.slices["why"] != ""]
    assert missing["pass_id"].tolist() == ["T121_S1A_20220606", "T121_S1A_20220616"]
    assert missing["why"].tolist() == [
        NEVER_WRITTEN,
        "damaged in the archive (truncated); no pixel could be read",
    ]
    assert one.pixels == Pixels(400, 0, 0), "a slice without an area is not 'no water'"
    assert one.visible.n == 4 and row(found, "unflagged").n_due == 4


def test_passes_that_failed_at_either_end_are_missing_and_those_beyond_were_not_asked_for(
    tmp_path: Path,
) -> None:
    looks = two_summers()
    gone = [0, 1, 2, 5, 6, 7]
    looks = [replace(one, is_stored=place not in gone) for place, one in enumerate(looks)]
    found = matched(tmp_path, looks, failed=[looks[1], looks[6]])
    one = row(found, "all")
    assert (one.n_due, one.n_acquired, one.n_area, one.n_missing) == (6, 6, 2, 4)
    missing = found.slices[found.slices["why"] != ""]
    assert missing["pass_id"].tolist() == [looks[place].pass_id for place in (1, 2, 5, 6)]
    failed = "no pixel could be read"
    assert missing["why"].tolist() == [failed, NEVER_WRITTEN, NEVER_WRITTEN, failed]
    assert found.span == Span(looks[1].day, looks[6].day, "failed", "failed")


def test_passes_count_from_slice_to_slice_where_nothing_failed(tmp_path: Path) -> None:
    looks = two_summers()
    looks = [replace(one, is_stored=place in (2, 4)) for place, one in enumerate(looks)]
    found = matched(tmp_path, looks)
    assert found.span == Span(looks[2].day, looks[4].day, "stored", "stored")
    assert (row(found, "all").n_due, row(found, "all").n_missing) == (3, 1)


def test_a_refused_file_fails_the_pass_of_its_granule(tmp_path: Path) -> None:
    looks = two_summers()
    looks[-1] = replace(looks[-1], is_stored=False)
    granule = "OPERA_L2_RTC-S1_T121-258662-IW2_20230616T001130Z_20230616T093000Z_S1A_30_v1.0"
    truth = read_truth(write_truth(tmp_path / "archive", looks))
    passes = truth.passes.replace({"granules": {looks[-1].granule: granule}})
    store = Store.open(write_store(tmp_path / "store", looks))
    store.note_refused({f"b/{granule}_VV.tif": "it is a web page", "b/odd.tif": "nobody knows its name"})
    ((found, _),) = match_store(replace(truth, passes=passes), store)
    assert found.span == Span(looks[0].day, looks[-1].day, "stored", "failed")
    assert found.slices["why"].iloc[-1] == f"b/{granule}_VV.tif: it is a web page"


def test_failures_of_passes_that_the_truth_does_not_know_move_no_end(tmp_path: Path) -> None:
    looks = two_summers()
    found = matched(tmp_path, looks, failed=[replace(looks[0], day=date(2020, 1, 1))])
    assert found.span == Span(looks[0].day, looks[-1].day, "stored", "stored")


def test_states_are_scored_apart_and_pooled_last(tmp_path: Path) -> None:
    looks = two_summers()
    looks[0] = replace(looks[0], state="frozen", flags=int(Flag.FROZEN_SEASON), stored=(15, 10, 20, 20))
    found = matched(tmp_path, looks)
    assert [one.slices for one in rows_of(found)] == ["open", "frozen", "unflagged", "all"]
    assert row(found, "frozen").visible.bias_percent == pytest.approx(-50)
    assert row(found, "open").visible.bias_percent == row(found, "unflagged").visible.bias_percent == 0
    pooled = {one.slices: one for one in pooled_rows([found, found])}
    assert pooled["all"].n_due == 16 and pooled["frozen"].visible.bias_percent == pytest.approx(-50)
    assert pooled["all"].visible.bias_percent == pytest.approx(-50 / 8)


def test_a_lake_that_is_gone_counts_in_square_metres(tmp_path: Path) -> None:
    looks = two_summers()
    looks[0] = replace(looks[0], lake=(15, 10, 15, 10), state="drained", stored=(15, 10, 17, 12))
    looks[1] = replace(looks[1], lake=(15, 10, 19, 15), state="drained", stored=(15, 10, 15, 10))
    found = matched(tmp_path, looks)
    one = row(found, "drained")
    assert one.visible.n == 2 and math.isnan(one.visible.bias_percent)
    assert one.visible.bias_m2 == (4 - 20) / 2 * PIXEL_M2
    assert one.pixels == Pixels(0, 20, 4)
    assert row(found, "all").visible.bias_percent == 0


def test_no_score_stands_without_its_constant(tmp_path: Path) -> None:
    found = matched(tmp_path, [Look(date(2022, 6, 1))])
    one = row(found, "open")
    assert found.basis == PASSES and one.n_area == 1
    assert one.visible.n == 0 and math.isnan(one.pixels.iou) and math.isnan(one.visible.bias_m2)


def test_the_frozen_flag_is_judged_by_the_true_state(tmp_path: Path) -> None:
    season = int(Flag.FROZEN_SEASON)
    looks = [
        *(replace(one, flags=season) for one in every(5, 2)),
        *(replace(one, flags=season, state="frozen") for one in every(5, 5)[2:]),
        replace(every(5, 6)[5], state="frozen", stored=(15, 10, 20, 20)),
        replace(every(5, 7)[6], flags=season, state="thawing"),
    ]
    found = matched(tmp_path, looks)
    flag = flag_score(found.name, found.slices)
    assert flag.precision == pytest.approx(3 / 6) and flag.precision_ice == pytest.approx(4 / 6)
    assert flag.recall == pytest.approx(3 / 4)
    counts = {one.state: (one.n, one.n_flagged) for one in flag.states}
    assert counts == {"open": (2, 2), "frozen": (4, 3), "thawing": (1, 1)}
    frozen = next(one for one in flag.states if one.state == "frozen")
    assert frozen.ratio_flagged == 1 and frozen.ratio_unflagged == 0.5


def test_slices_of_old_granules_and_of_passes_not_acquired_are_named(tmp_path: Path) -> None:
    looks = two_summers()
    looks[0] = replace(looks[0], made_of="G_superseded")
    archive = write_truth(tmp_path / "archive", [*looks[:3], replace(looks[3], acquired=False), *looks[4:-1]])
    store = Store.open(write_store(tmp_path / "store", looks))
    ((found, _),) = match_store(read_truth(archive), store)
    assert found.other_granules[0] == looks[0].pass_id
    assert found.unexpected == (looks[3].pass_id,)  # the last lies beyond the archive's days


def test_a_slice_made_without_a_damaged_granule_is_told_from_one_of_old_granules(tmp_path: Path) -> None:
    looks = two_summers()
    archive = write_truth(tmp_path / "archive", looks)
    truth = read_truth(archive)
    damaged = truth.granules.iloc[[0]].assign(granule="G_damaged", damage="nan")
    passes = truth.passes.copy()
    passes.loc[passes["pass_id"] == looks[0].pass_id, "granules"] += " G_damaged"
    passes.loc[passes["pass_id"] == looks[1].pass_id, "granules"] += " G_sound"
    truth = replace(truth, passes=passes, granules=pd.concat([truth.granules, damaged]))
    ((found, _),) = match_store(truth, Store.open(write_store(tmp_path / "store", looks)))
    assert found.partial == (looks[0].pass_id,) and found.other_granules == (looks[1].pass_id,)


def test_waters_on_the_same_grid_are_known_and_those_beyond_are_not(tmp_path: Path) -> None:
    looks = two_summers()
    near = Outline("pool", 0, 900.0, in_degrees(box(2, 2, 3, 3)))
    far = Outline("elsewhere", 0, 900.0, in_degrees(box(200, 2, 203, 3)))
    archive = write_truth(tmp_path / "archive", looks, pools=[near, far])
    ((found, _),) = match_store(read_truth(archive), Store.open(write_store(tmp_path / "store", looks)))
    assert found.nearby == ("pool",)


def test_a_store_of_real_scenes_is_refused(tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "archive", two_summers()))
    store = Store.open(write_store(tmp_path / "store", two_summers(), replace(HEADER, simulated=False)))
    with pytest.raises(PipelineError, match=r"tsho/T121 was made of 'Sentinel-1 .*Give the store"):
        list(match_store(truth, store))


def test_a_store_of_another_archive_is_refused(tmp_path: Path) -> None:
    looks = two_summers()
    truth = read_truth(write_truth(tmp_path / "archive", looks))
    store = Store.open(write_store(tmp_path / "store", [replace(one, made_of="X") for one in looks]))
    with pytest.raises(PipelineError, match=r"none of its 8 slices .* granules of this archive"):
        list(match_store(truth, store))


def test_a_store_without_any_lake_of_the_truth_is_refused_with_both_lists(tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "archive", two_summers(), lake="other"))
    store = Store.open(write_store(tmp_path / "store", two_summers()))
    with pytest.raises(PipelineError, match=r"holds tsho/T121, the truth is of other/T121.*glaciolake run"):
        list(match_store(truth, store))
    with pytest.raises(CatalogError, match="no whole truth"):
        read_truth(tmp_path / "store")


def test_series_that_the_store_lacks_are_listed(tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "archive", two_summers()))
    both = replace(truth, passes=pd.concat([truth.passes, truth.passes.assign(track="T012")]))
    store = Store.open(write_store(tmp_path / "store", two_summers()))
    assert series_beyond(both, store) == {"tsho/T012": 0} and series_beyond(truth, store) == {}
    reason = {"kind": "unreadable", "reason": "no pixel could be read"}
    failed = {one.pass_id: reason for one in two_summers()[:2]}
    store.commit(Batch(replace(HEADER, track="T012"), None, failed))
    assert series_beyond(both, store) == {"tsho/T012": 2}
