"""What a date is compared with: never itself, never later dates where that is promised, never its label."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from glaciolake.models.augment import scale_db
from glaciolake.models.data import PAIR_SIDE_PX, Sample, cut_centre, put_centre
from glaciolake.models.season import SEASON_DAYS, season_distance_days
from glaciolake.models.track.record import (
    CHANNELS,
    NEAR_DAYS,
    STD_FACTOR,
    UNKNOWN,
    Images,
    Page,
    Record,
    channels_of,
    forget_place,
    with_samples,
)
from tests.models.scenes import SPEC, sample

ROW = {name: number for number, name in enumerate(CHANNELS)}


def record_of(samples: list[Sample]) -> Images:
    images: dict[tuple[str, str], list[tuple[object, object]]] = {}
    for one in samples:
        images.setdefault(one.key, []).append((one.start, one.power))
    return images  # type: ignore[return-value]


def test_statistics_are_those_of_the_other_dates_of_the_track() -> None:
    dates = [sample(cycle=cycle) for cycle in range(5)]
    seen = channels_of(dates[2], Record(record_of([*dates, sample(track="T085")])), SPEC)
    others = np.stack([scale_db(one.power, SPEC) for i, one in enumerate(dates) if i != 2])
    inside = dates[2].valid
    np.testing.assert_allclose(seen[ROW["mean"]][inside], others.mean(0)[inside], rtol=1e-5)
    np.testing.assert_allclose(seen[ROW["std"]][inside], STD_FACTOR * others.std(0)[inside], atol=1e-5)
    np.testing.assert_allclose(seen[ROW["min"]][inside], others.min(0)[inside], rtol=1e-5)
    np.testing.assert_allclose(seen[ROW["date"]][inside], scale_db(dates[2].power, SPEC)[inside])
    assert np.isfinite(seen).all()
    assert not seen[[ROW["date"], ROW["valid"], ROW["mean"], ROW["min"]], :, 0].any(), "no data is 0"


def test_a_causal_record_knows_no_later_image() -> None:
    dates = [sample(cycle=cycle) for cycle in range(6)]
    bright = [replace(one, power=one.power * 10) for one in dates[4:]]
    causal = Record(record_of([*dates[:4], *bright]), causal=True)
    same = channels_of(dates[3], causal, SPEC)
    np.testing.assert_array_equal(same, channels_of(dates[3], Record(record_of(dates[:4])), SPEC))
    whole = channels_of(dates[3], replace(causal, causal=False), SPEC)
    assert whole[ROW["mean"]].mean() > same[ROW["mean"]].mean()


def test_too_few_dates_are_no_statistics() -> None:
    dates = [sample(cycle=cycle) for cycle in range(3)]
    seen = channels_of(dates[0], Record(record_of(dates)), SPEC)
    assert not seen[[ROW["mean"], ROW["std"], ROW["min"]]].any()


def test_a_dates_own_label_is_not_looked_at() -> None:
    dates = [sample(cycle=cycle) for cycle in range(5)]
    wrong = replace(dates[0], water=~dates[0].water)
    one, other = (
        channels_of(first, Record(record_of(dates), labels=[first, *dates[1:]]), SPEC)
        for first in (dates[0], wrong)
    )
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one[ROW["outline"]], dates[1].water)


def test_outlines_are_shares_of_known_labels_of_the_same_track() -> None:
    labels = [sample(cycle=1), sample(cycle=2, right_px=4), sample(track="T085", right_px=12)]
    seen = channels_of(sample(), Record({}, labels=labels), SPEC)
    np.testing.assert_allclose(seen[ROW["outline"]], (labels[0].water * 1.0 + labels[1].water) / 2)
    blind = channels_of(sample(), Record({}, labels=labels[2:]), SPEC)
    assert (blind[ROW["outline"]] == UNKNOWN).all()


def test_an_image_weighs_the_more_the_nearer_it_is() -> None:
    dates = [sample(cycle=cycle) for cycle in range(4)]
    lit = [
        replace(one, power=np.full_like(one.power, 10.0 ** (-cycle / 5))) for cycle, one in enumerate(dates)
    ]
    seen = channels_of(lit[0], Record(record_of(lit)), SPEC)
    days = [(one.start - lit[0].start).days for one in lit[1:]]
    weights = [np.exp(-day / NEAR_DAYS) for day in days]
    shown = [scale_db(one.power, SPEC) for one in lit[1:]]
    np.testing.assert_allclose(seen[ROW["near"]], np.average(shown, axis=0, weights=weights), rtol=1e-5)


def test_outlines_of_the_season_weigh_more_whatever_the_year() -> None:
    summer, winter = sample(cycle=10), sample(cycle=25, right_px=4)
    later = sample(cycle=10 + 30)
    assert (later.start - summer.start).days == 360 and (summer.water != winter.water).any()
    seen = channels_of(later, Record({}, labels=[summer, winter]), SPEC)
    near, far = (
        math.exp(-season_distance_days(one.start, later.start) / SEASON_DAYS) for one in (summer, winter)
    )
    expected = (near * summer.water + far * winter.water) / (near + far)
    np.testing.assert_allclose(seen[ROW["season_outline"]], expected, rtol=1e-5)
    assert near > 0.9 > 0.2 > far
    assert season_distance_days(datetime(2020, 1, 2), datetime(2022, 12, 31)) < 3


def test_an_atlas_stands_in_for_images_and_labels() -> None:
    frame = np.full((PAIR_SIDE_PX, PAIR_SIDE_PX), 0.25, np.float32)
    outline = put_centre(sample().water).astype(np.float32)
    seasons = np.stack([outline * np.float32(month / 12) for month in range(1, 13)])
    record = Record(
        {},
        atlas={sample().key: Page(outline, seasons, frame, 2 * frame, np.float32(0.2) * frame, (86.5, 28.0))},
    )
    seen = channels_of(sample(), record, SPEC)
    np.testing.assert_array_equal(seen[ROW["outline"]], cut_centre(outline, sample().power.shape))
    of_month = cut_centre(seasons[sample().start.month - 1], sample().power.shape)
    np.testing.assert_array_equal(seen[ROW["season_outline"]], of_month)
    assert [float(seen[ROW[name]].max()) for name in ("mean", "std", "min")] == [0.25, 0.5, np.float32(0.05)]


def test_what_only_a_known_lake_has_can_be_forgotten() -> None:
    seen = channels_of(sample(), Record({}, labels=[sample(cycle=1), sample(cycle=2)]), SPEC)
    blind = forget_place(seen)
    assert (blind[ROW["outline"]] == UNKNOWN).all() and not blind[[ROW["north"], ROW["east"]]].any()
    kept = [ROW[name] for name in ("date", "valid", "mean", "std", "min", "season_sin", "season_cos")]
    np.testing.assert_array_equal(blind[kept], seen[kept])
    assert (seen[ROW["north"]][:, 0] == np.linspace(-1, 1, len(seen[0]), dtype=np.float32)).all()


def test_an_image_of_another_grid_is_centred_on_the_date() -> None:
    dates = [sample(cycle=cycle) for cycle in range(5)]
    wider = replace(
        dates[4],
        power=np.pad(dates[4].power, ((0, 1), (0, 1)), constant_values=np.nan),
        start=dates[4].start + timedelta(days=12),
    )
    seen = channels_of(dates[0], Record(record_of([*dates, wider])), SPEC)
    assert seen.shape == (len(CHANNELS), *dates[0].power.shape)


def test_rebuilt_scenes_join_the_images_in_their_order() -> None:
    dates = [sample(cycle=cycle) for cycle in range(3)]
    lost = replace(dates[1], rebuilt=True)
    images = with_samples(record_of([dates[0], dates[2]]), [dates[0], lost, dates[2]])
    assert [start for start, _ in images[lost.key]] == [one.start for one in dates]
