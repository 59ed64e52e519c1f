"""How the figure looks: colours that colour-blind readers tell apart, one marker a state, sizes in points."""

from __future__ import annotations

from dataclasses import dataclass

from glaciolake.catalog.variables import Flag, LakeState

INK = "#1a1a1a"
MUTED = "#6b6f76"
FAINT = "#d9dce1"
WARNING = "#b3261e"
SUMMER_SHADE = "#f3f1ea"
TRACK_COLOUR = {"ascending": "#d55e00", "descending": "#0072b2"}
"""Vermilion and blue of Okabe and Ito."""
OUTLINE_COLOUR = "#f0e442"


@dataclass(frozen=True)
class Mark:
    """How slices of a state that is not open water are drawn.

    Attributes
    ----------
    flag
        The state.
    marker
        Matplotlib's marker.
    label
        Words for the key.
    """

    flag: Flag
    marker: str
    label: str


FLAG_MARKS = (
    Mark(Flag.INCOMPLETE, "D", "partly unseen"),
    Mark(Flag.FROZEN_SEASON, "x", "frozen season"),
)
"""In order of precedence: a slice of several states gets the first that fits."""
STATE_COLOUR = {
    LakeState.OPEN: "#0072b2",
    LakeState.WINDY: "#56b4e9",
    LakeState.FREEZING: "#cc79a7",
    LakeState.FROZEN: "#7a4b9a",
    LakeState.THAWING: "#009e73",
    LakeState.SHADOWED: "#8a8f98",
    LakeState.INCOMPLETE: "#c7cbd1",
    LakeState.UNKNOWN: "#d55e00",
}
"""Of Okabe and Ito, as far as they go."""
