"""Refusals: a run stops where its login has ended, and does not knock for every slice that is left."""

from __future__ import annotations

from glaciolake.pipeline.errors import LOGIN_REFUSED, LoginRefused
from glaciolake.pipeline.piece import Outcome

MOST_REFUSED = 64
"""Slices in a row that a login may cost: four pieces. Archives refuse single reads for other reasons too."""


class Refusals:
    """Counts slices that could not be read because of the login, one after the other."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def note(self, outcome: Outcome) -> None:
        """Take note of a piece.

        Raises
        ------
        LoginRefused
            Nothing could be read since `MOST_REFUSED` slices ago, and the login was the reason.
        """
        if outcome.slices is not None or any(one["kind"] == "empty" for one in outcome.failed.values()):
            self._in_a_row = 0
        self._in_a_row += sum(LOGIN_REFUSED in one["reason"] for one in outcome.failed.values())
        if self._in_a_row >= MOST_REFUSED:
            raise LoginRefused(
                f"the archive refused the login for the last {self._in_a_row} slices; tokens end after 60 "
                "days. Renew it where the workers have it (EARTHDATA_TOKEN, the token's file or ~/.netrc: "
                "'glaciolake doctor' tells). What is committed stays; run the same command again to go on "
                "from there"
            )
