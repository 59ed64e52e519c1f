"""What a window filter is told; light, so that planning needs no compiler."""

from __future__ import annotations

from typing import NamedTuple

MEAN, LEE, ENHANCED_LEE, VARIATION = range(4)


class Method(NamedTuple):
    """What is done with a window's sums.

    Attributes
    ----------
    kind
        `MEAN`, `LEE`, `ENHANCED_LEE` or `VARIATION` (squared coefficient of variation, unbiased variance).
    window_px
        Side of the window, odd, 3 to 255.
    looks
        Equivalent number of looks.
    damping
        K of Enhanced Lee.
    min_valid
        Valid pixels that a window needs; a pixel with fewer becomes NaN.
    """

    kind: int
    window_px: int
    looks: float = 1.0
    damping: float = 1.0
    min_valid: int = 1
