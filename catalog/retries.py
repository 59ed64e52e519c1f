"""One patience for every search: what is tried again, how often, and after which wait."""

from __future__ import annotations

from urllib3 import BaseHTTPResponse, Retry

TIMEOUT_S = (20.0, 120.0)
"""To connect, and between two bytes of the answer."""
LONGEST_WAIT_S = 120.0


class _Patience(Retry):
    """A server may ask for a pause, but not for hours of an unattended run."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        asked_s = super().get_retry_after(response)
        return None if asked_s is None else min(asked_s, LONGEST_WAIT_S)


def retries(wait_s: float, *, raise_on_status: bool) -> Retry:
    """Retry rule for searches, POST included: a search changes nothing, so asking twice is safe.

    Parameters
    ----------
    wait_s
        Wait before the second repetition, doubled each time; a server's Retry-After wins, up to two minutes.
    raise_on_status
        Whether the last bad answer becomes an exception, or is handed on to the caller.
    """
    return _Patience(
        total=4,
        backoff_factor=wait_s / 2,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=raise_on_status,
    )
