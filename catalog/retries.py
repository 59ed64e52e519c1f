"""One patience for all that is asked over the network: what is tried again, how often, after which wait.

Three kinds of failure are told apart. A busy or failing server (429, 5xx) is waited for. An answer that
breaks off, and a file that cannot be read, are asked for again. A refused login is shown again too, since
busy archives refuse good ones now and then, but a few times and for seconds: a wrong one is told soon.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import MaxRetryError

TIMEOUT_S = (20.0, 120.0)
"""To connect, and between two bytes of the answer."""
LONGEST_WAIT_S = 120.0
READ_WAITS_S = (0.25, 0.5, 1.0, 1.0, 2.0, 2.0, 2.0, 4.0)
"""Before a file that could not be read is read again."""
REFUSED_WAITS_S = (0.25, 0.5, 1.0, 1.0, 1.0)
"""Before a login that was refused is shown again."""
REFUSED = (401, 403)
_SEARCH_WAITS = (0.25, 0.5, 1.0, 2.0)
"""In units of the first wait: before an answer that broke off is asked for again."""

T = TypeVar("T")


class _Patience(Retry):
    """A server may ask for a pause, but not for hours of an unattended run."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        asked_s = super().get_retry_after(response)
        return None if asked_s is None else min(asked_s, LONGEST_WAIT_S)


class PatientAdapter(HTTPAdapter):
    """Way of a session to its servers that also asks again where `retries` alone gives up.

    That is after an answer has begun: where it breaks off, and where it refuses.

    Parameters
    ----------
    wait_s, raise_on_status
        As of `retries`.
    """

    def __init__(self, wait_s: float, *, raise_on_status: bool) -> None:
        super().__init__(max_retries=retries(wait_s, raise_on_status=raise_on_status))
        self._waits_s = [wait_s * factor for factor in _SEARCH_WAITS]

    def send(self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any) -> Any:
        """Send one request, and read its answer to the end unless that is the caller's wish."""
        for wait_s in self._waits_s:
            try:
                response = super().send(request, stream, *args, **kwargs)
                if stream or (response.content is not None and response.status_code not in REFUSED):
                    return response
            except (ChunkedEncodingError, requests.ConnectionError) as error:
                if not _broke_off(error):
                    raise
            time.sleep(wait_s)
        return super().send(request, stream, *args, **kwargs)


def _broke_off(error: requests.RequestException) -> bool:
    """Whether an answer had begun; where none came, `retries` has tried already."""
    return not (error.args and isinstance(error.args[0], MaxRetryError))


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


def patiently(
    attempt: Callable[[int], T], waits_s: Callable[[Exception], tuple[float, ...]], budget_s: float
) -> T:
    """Try until it works, it makes no sense any more, or the time is up.

    Parameters
    ----------
    attempt
        Called with 0, 1, 2, ...
    waits_s
        Waits that a failure is worth, seconds; as many of this kind are borne, beside those of others.
    budget_s
        Time after which no further attempt is begun: a server that fails slowly is not asked as often.

    Raises
    ------
    Exception
        What the last attempt raised.
    """
    begun_s = time.monotonic()
    failures: Counter[tuple[float, ...]] = Counter()
    while True:
        try:
            return attempt(failures.total())
        except Exception as error:
            waits = waits_s(error)
            failures[waits] += 1
            if failures[waits] > len(waits) or time.monotonic() - begun_s > budget_s:
                raise
            time.sleep(waits[failures[waits] - 1])
