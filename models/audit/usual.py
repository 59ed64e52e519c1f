"""How far honest labels of a lake and track stray from its other dates, and from where one is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

FALSE_ALARM = 1e-4
"""Share of honest labels beyond a limit, were they spread as Student's t says."""
PRIOR_DATES = 5
"""How many dates of its own outweigh what a track borrows from all others."""
MIN_DATES_OF_BOUNDS = 4
"""Dates from which it is known what was always and what was never lake."""
LEAST_SIGMA_PX, LEAST_SIGMA_LN_AREA, LEAST_SIGMA_SHIFT_PX = 0.1, 0.02, 0.4
"""Pixels are whole, so that dates that agree exactly prove no smaller spread; a shift along both axes is
uncertain by sqrt(2 / 12) px."""


class Spread(NamedTuple):
    """Where values lie and how far they stray, both robust."""

    centre: float
    sigma: float


class Usual(NamedTuple):
    """How labels of a track depart from its other dates.

    Attributes
    ----------
    apart_px
        Of the distance of the shores, px.
    log_area
        Of ln(area / area of the other dates).
    shift_px
        Of the best shift, px.
    n
        Dates it is known from.
    """

    apart_px: Spread
    log_area: Spread
    shift_px: Spread
    n: int

    @property
    def limit_sigmas(self) -> float:
        """Standard deviations at which a label is told: more for few dates (Student's t)."""
        return float(special.stdtrit(self.n + PRIOR_DATES - 1, 1 - FALSE_ALARM))

    @property
    def apart_limit_px(self) -> float:
        """Distance of the shores from which a label of the track is told, px."""
        return self.apart_px.centre + self.limit_sigmas * self.apart_px.sigma


PUBLISHED = Usual(Spread(0.6, 0.15), Spread(0.0, 0.03), Spread(0.0, LEAST_SIGMA_SHIFT_PX), 0)
"""Of the published pairs, measured once: for data of which no track has enough dates to tell."""


def spread(values: Sequence[float], borrowed: Spread, least: float) -> Spread:
    """Median and scaled median absolute deviation, drawn towards what is borrowed where values are few."""
    if len(values) == 0:
        return borrowed
    centre = float(np.median(values))
    sigma = max(1.4826 * float(np.median(np.abs(np.asarray(values) - centre))), least)
    own = len(values) / (len(values) + PRIOR_DATES)
    return Spread(
        own * centre + (1 - own) * borrowed.centre,
        math.sqrt(own * sigma**2 + (1 - own) * borrowed.sigma**2),
    )
