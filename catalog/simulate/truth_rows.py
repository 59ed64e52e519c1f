"""The truth of one site: its days, its passes, its outlines, its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.catalog.granule import track_name
from glaciolake.catalog.simulate.bursts import TRACKS, Burst
from glaciolake.catalog.simulate.calendar import passes_due, sensing_start
from glaciolake.catalog.simulate.climate import days_between
from glaciolake.catalog.simulate.elevation import write_elevation
from glaciolake.catalog.simulate.hydrology import DRAINAGES, Span, spans_of
from glaciolake.catalog.simulate.imaging import ground_of, seen_by, sites_in, weather_of
from glaciolake.catalog.simulate.lake_days import DRAINED_SHARE, LakeDays, lake_days
from glaciolake.catalog.simulate.order import Order
from glaciolake.catalog.simulate.radar import Frame, frame_of
from glaciolake.catalog.simulate.registry import lake_feature
from glaciolake.catalog.simulate.shore import SPACING_M, FineShore, Shore, Stand, coverage, distance_m
from glaciolake.catalog.simulate.terrain import Ground
from glaciolake.catalog.simulate.truth import Day, Happening, Outline, Pass, State

LEVEL_STEP_M = 0.4
FRONT_STEP_M = 8.0
"""An outline stands for all days whose level and front round to it."""


@dataclass(frozen=True)
class SiteTruth:
    """What `truth_of_site` finds.

    A pass does not know its granules yet, but the bursts that hold the lake; `lakes` are entries of
    the registry.
    """

    days: list[Day]
    passes: list[tuple[Pass, tuple[Burst, ...]]]
    outlines: list[Outline]
    events: list[Happening]
    lakes: list[dict[str, Any]]


class SiteTask(NamedTuple):
    """Site of an archive whose truth is wanted, and the archive's folder, where its ground is written."""

    order: Order
    site: str
    folder: str


def truth_of_site(task: SiteTask) -> SiteTruth:
    """Work out the truth of a site's lakes: every day, every pass that was due."""
    order = task.order
    ground = ground_of(task.site, order.seed)
    found = SiteTruth([], [], [], [], [])
    seen_by_track = dict(_seen(task, ground))
    for epsg in sorted({TRACKS[track].epsg for track in seen_by_track}):
        write_elevation(Path(task.folder), ground, frame_of(ground.site, epsg), epsg)
    for shore in ground.shores:
        lake = _Lake(ground, shore, lake_days(shore.basin, order.end, order.seed))
        days = {day: lake.day(day) for day in days_between(order.start, order.end)}
        found.days.extend(days.values())
        found.outlines.extend(lake.outlines.values())
        found.events.extend(lake.events(order))
        if shore.basin.registered:
            found.lakes.append(lake_feature(ground, lake.fine))
            for seen in seen_by_track.values():
                found.passes.extend(lake.passes(seen, days, order))
    return found


@dataclass(frozen=True)
class _Seen:
    """What one track sees of a site: `seen` (y, x) bool on the frame, by these bursts."""

    track: int
    frame: Frame
    seen: NDArray[np.bool_]
    bursts: tuple[Burst, ...]


def _seen(task: SiteTask, ground: Ground) -> Iterator[tuple[int, _Seen]]:
    """Tell what each track sees of a site, all its bursts together."""
    held = [burst for burst, names in sites_in(task.order).items() if task.site in names]
    for track in sorted({burst.track.relative_orbit for burst in held}):
        bursts = tuple(burst for burst in held if burst.track.relative_orbit == track)
        seen = np.logical_or.reduce([seen_by(burst, task.site, task.order.seed) for burst in bursts])
        yield track, _Seen(track, frame_of(ground.site, TRACKS[track].epsg), seen, bursts)


class _Lake:
    """One lake of a site through an archive's days."""

    def __init__(self, ground: Ground, shore: Shore, days: LakeDays) -> None:
        self.ground, self.shore, self.days = ground, shore, days
        self.fine = FineShore(shore)
        self.outlines: dict[tuple[int, int], Outline] = {}
        self.spans = list(spans_of(shore.basin))

    def day(self, day: date) -> Day:
        """Row of one day."""
        stand, ice = self.days.stand(day), self.days.ice(day)
        area_m2, volume_m3 = self.fine.measure(stand)
        gone = State.DRAINED if self.shore.basin.registered else State.DRY
        state = gone if area_m2 < DRAINED_SHARE * self.shore.basin.area_m2 else ice.state()
        under_way = " ".join(sorted({one.kind for one in self.spans if one.first_day <= day <= one.last_day}))
        return Day(
            self.shore.basin.id,
            day,
            state.value,
            round(ice.fraction, 4),
            round(self.shore.basin.level_m + stand.level_m, 3),
            round(area_m2, 1),
            round(area_m2 * (1 - ice.fraction), 1),
            round(volume_m3, 0),
            self._outline(stand),
            under_way,
        )

    def _outline(self, stand: Stand) -> int:
        """Id of the outline of a stand, drawn where it is a new one."""
        key = (round(stand.level_m / LEVEL_STEP_M), round(stand.front_m / FRONT_STEP_M))
        if key not in self.outlines:
            drawn = self.fine.outline(Stand(key[0] * LEVEL_STEP_M, key[1] * FRONT_STEP_M))
            number = len(self.outlines)
            area_m2 = drawn.area * SPACING_M**2
            self.outlines[key] = Outline(self.shore.basin.id, number, area_m2, self.ground.in_degrees(drawn))
        return self.outlines[key].outline_id

    def passes(
        self, seen: _Seen, days: Mapping[date, Day], order: Order
    ) -> Iterator[tuple[Pass, tuple[Burst, ...]]]:
        """Rows of all passes of one track."""
        shore = on_frame(self.ground, self.shore, seen.frame)
        track = seen.bursts[0].track
        for due in passes_due(track, order.start, order.end, order.seed):
            water = coverage(distance_m(shore, self.days.stand(due.day)), SPACING_M)
            whole = float(water.sum(dtype=float))
            share = float(water[seen.seen].sum(dtype=float)) / whole if whole else 0.0
            row, start = days[due.day], min(sensing_start(burst, due.day) for burst in seen.bursts)
            wind = weather_of(self.ground.site, seen.bursts[0], due.day, order.seed).wind_m_per_s
            found = Pass(
                row.lake,
                track_name(seen.track),
                pass_name(seen.track, due.sensor, start, self.ground.site.longitude_deg),
                due.sensor,
                start,
                due.acquired,
                row.state,
                row.ice_fraction,
                row.lake_area_m2,
                row.open_water_m2,
                row.outline_id,
                row.event,
                round(wind, 2),
                round(share, 5),
                round(share * row.lake_area_m2, 1),
                "",
            )
            yield found, seen.bursts

    def events(self, order: Order) -> Iterator[Happening]:
        """Events of the lake that are under way within the archive."""
        for span in self.spans:
            if span.first_day < order.end and span.last_day >= order.start:
                yield self._happening(span, min(span.last_day, order.end - timedelta(days=1)))

    def _happening(self, span: Span, last: date) -> Happening:
        # of a pool behind a landslide the largest area tells, not the one after it is gone
        told = last - timedelta(days=1) if span.kind == "landslide_dam" else last
        before, _ = self.fine.measure(self.days.stand(span.first_day))
        after, _ = self.fine.measure(self.days.stand(told))
        is_loss = span.kind in DRAINAGES
        return Happening(
            self.shore.basin.id,
            span.kind,
            span.first_day,
            last,
            round(before),
            round(after),
            is_loss,
            span.note,
        )


def pass_name(track: int, sensor: str, start: datetime, longitude_deg: float) -> str:
    """Identity of a slice: track, sensor, local mean solar day."""
    return f"{track_name(track)}_{sensor}_{start + timedelta(hours=longitude_deg / 15):%Y%m%d}"


def on_frame(ground: Ground, shore: Shore, frame: Frame) -> Shore:
    """Sample a shore at the pixels of a burst's grid."""
    fields = (shore.offshore_m, shore.calving_m, shore.bank, shore.freeze_rank)
    return Shore(shore.basin, *(frame.sample(ground, field) for field in fields))
