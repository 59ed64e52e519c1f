"""Reprocessing: newest wins, losers stay known, crops are no duplicates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glaciolake.catalog.duplicates import newest
from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.items import BandFile, Lattice, make_item
from glaciolake.catalog.names import RtcName, parse_name

LATTICE = Lattice("EPSG:32645", (30.0, 0.0, 440010.0, 0.0, -30.0, 3090000.0), (200, 300))


def moved(east_m: float) -> Lattice:
    a, b, c, d, e, f = LATTICE.transform
    return Lattice(LATTICE.crs, (a, b, c + east_m, d, e, f), LATTICE.shape)


def opera(created: str, *, sensor: str = "S1A", burst: str = "T121-258662-IW2") -> RtcName:
    return parse_name(f"OPERA_L2_RTC-S1_{burst}_20240916T001153Z_{created}Z_{sensor}_30_v1.0")


def hyp3(digits: str, hour: int | None) -> RtcName:
    name = parse_name(f"S1A_IW_20210327T121349_DVP_RTC20_G_gpufed_{digits}")
    return name if hour is None else replace(name, created=name.sensing_start + timedelta(hours=hour))


def item(name: RtcName, lattice: Lattice = LATTICE) -> pystac.Item:
    return make_item(name, lattice, {"vv": BandFile(f"/data/{name.granule}_VV.tif")})


def ids(items: tuple[pystac.Item, ...]) -> list[str]:
    return [one.id for one in items]


def test_newest_processing_wins_and_the_loser_stays_known() -> None:
    old, new = item(opera("20240916T080000")), item(opera("20250101T000000"))
    kept, superseded = newest([new, old])
    assert (ids(kept), ids(superseded)) == ([new.id], [old.id])


def test_three_processings_leave_two_losers() -> None:
    items = [item(opera(f"2024091{day}T080000")) for day in (7, 9, 8)]
    kept, superseded = newest(items)
    assert ids(kept) == [items[1].id]
    assert ids(superseded) == [items[0].id, items[2].id]


def test_other_sensor_and_other_burst_are_other_acquisitions() -> None:
    items = [
        item(opera("20240916T080000")),
        item(opera("20240917T080000", sensor="S1C")),
        item(opera("20240917T080000", burst="T121-258662-IW1")),
    ]
    assert newest(items)[1] == ()


def test_hyp3_scene_processed_twice_on_one_lattice_is_one_acquisition() -> None:
    old, new = item(hyp3("00AA", 5)), item(hyp3("0001", 9))
    assert (ids(newest([old, new])[0]), ids(newest([old, new])[1])) == ([new.id], [old.id])


def test_unknown_creation_loses_to_a_known_one_and_ties_go_by_name() -> None:
    known, unknown, later = item(hyp3("0001", 9)), item(hyp3("FFFF", None)), item(hyp3("AAAA", 9))
    assert ids(newest([unknown, known])[0]) == [known.id]
    assert ids(newest([known, later])[0]) == [later.id]


def test_crops_of_one_scene_around_two_lakes_both_stay() -> None:
    here, there = item(hyp3("00AA", 5)), item(hyp3("00AA", 5), moved(20_000))
    overlapping = item(hyp3("00AA", 5), moved(30))
    assert newest([here, there, overlapping])[1] == ()


def test_newer_crop_elsewhere_replaces_nothing() -> None:
    here, there = item(hyp3("00AA", 5)), item(hyp3("00BB", 9), moved(20_000))
    assert newest([here, there])[1] == ()


def test_newer_burst_on_a_grid_moved_by_a_pixel_replaces_the_older() -> None:
    old, new = item(opera("20240916T080000")), item(opera("20250101T000000"), moved(30))
    assert ids(newest([old, new])[0]) == [new.id]


def test_item_that_a_search_repeats_is_neither_kept_twice_nor_its_own_loser() -> None:
    name = opera("20240916T080000")
    here = make_item(name, LATTICE, {"vv": BandFile("/archive/a.tif")})
    mirror = make_item(name, LATTICE, {"vv": BandFile("/mirror/a.tif")})
    for order in ([here, mirror, here], [mirror, here, mirror]):
        kept, superseded = newest(order)
        assert ([one.assets["vv"].href for one in kept], superseded) == (["/archive/a.tif"], ())


def test_incomplete_item_is_refused_not_dropped() -> None:
    bare = item(opera("20240916T080000"))
    del bare.properties["sat:relative_orbit"]
    with pytest.raises(CatalogError, match="has no sat:relative_orbit"):
        newest([bare])


@given(st.permutations([("0001", 9), ("00AA", 5), ("00BB", 9), ("00CC", None)]))
def test_order_of_the_search_changes_nothing(order: list[tuple[str, int | None]]) -> None:
    kept, superseded = newest([item(hyp3(*one)) for one in order])
    assert ids(kept) == [item(hyp3("00BB", 9)).id]
    assert ids(superseded) == sorted(
        item(hyp3(*one)).id for one in [("0001", 9), ("00AA", 5), ("00CC", None)]
    )
