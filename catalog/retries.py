"""One patience for all that is asked over the network: what is tried again, how often, after which wait.

Kinds of failure are told apart. A busy or failing server (429, 5xx) is waited for. An answer that breaks off
or hangs, and a file that cannot be read, are asked for again. A refused login is shown again too, since busy
archives refuse good ones now and then, but a few times and for seconds: a wrong one is told soon.
Every kind has a budget beside its waits, so that what fails slowly ends in a bounded time:

* a page of a search: at most five attempts, none begun after `SEARCH_BUDGET_S`. A server that accepts and
  then says nothing is given up after 126 s (measured), and one that hangs or is busy in whatever order after
  160 s (`SEARCH_BUDGET_S` and one `TIMEOUT_S`). Only what drips, a byte every few seconds, has no end;
* a file: see `catalog.read_again`.

The limits are read when they are used, so that tests may shorten them.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, RetryError
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

TIMEOUT_S = (10.0, 30.0)
"""To connect, and between two bytes of the answer. A search that takes longer than 30 s is given up by what
answers it: CMR-STAC stands behind an API gateway, which cuts off at 29 s, and asf_search waits 30 s too."""
SEARCH_BUDGET_S = 120.0
"""Time after which a page of a search is not asked for once more."""
LONGEST_WAIT_S = 60.0
"""A server may ask for a pause, but not for hours of an unattended run."""
READ_WAITS_S = (0.25, 0.5, 1.0, 1.0, 2.0, 2.0, 2.0, 4.0)
"""Before a file that could not be read is read again."""
BUSY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)
"""Before a file is asked for again of a server that is busy or fails: a minute and a half."""
REFUSED_WAITS_S = (0.25, 0.5, 1.0, 1.0, 1.0)
"""Before a login that was refused is shown again."""
GDAL_PATIENCE = {
    # The waits for a server that fails are those above: GDAL's multiply with them, since a read that fails
    # makes four requests, one after the other.
    "GDAL_HTTP_MAX_RETRY": "1",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_TIMEOUT": "120",  # of one request, however large: a slow line is no hung one
    # A lost packet is sent again after 1, 2, 4 and 8 s (RFC 6298): what is silent for longer is hung. S3
    # begins its answers within tens of milliseconds, and its guide asks again after 2 s (AWS, "Timeouts and
    # retries for latency-sensitive applications").
    "GDAL_HTTP_CONNECTTIMEOUT": "15",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",  # bytes per second, for _TIME seconds: a hung connection
    "GDAL_HTTP_LOW_SPEED_TIME": "15",
}
"""What GDAL bears by itself; `credentials.gdal_options` leaves out what the environment sets."""
REFUSED = (401, 403)
BUSY = (429, 500, 502, 503, 504)
_SEARCH_WAITS = (0.25, 1.0, 4.0, 10.0)
"""In units of the first wait: before a page is asked for again."""
_REFUSED_AGAIN = 1
"""Times that a page is asked for again where the login was refused: accounts are locked after a few."""

T = TypeVar("T")


class PatientAdapter(HTTPAdapter):
    """Way of a session to its servers that asks again, POST included: a search changes nothing.

    `TIMEOUT_S` and `SEARCH_BUDGET_S` hold for each page, whatever timeout a caller gives.

    Parameters
    ----------
    wait_s
        Unit of the waits, seconds: a quarter before the first repetition, ten before the last. Retry-After
        wins, up to `LONGEST_WAIT_S`.
    raise_on_status
        Whether the last bad answer becomes a `requests.exceptions.RetryError` that carries it, or is handed
        on to the caller.
    """

    def __init__(self, wait_s: float, *, raise_on_status: bool) -> None:
        super().__init__()
        self._waits_s = tuple(wait_s * factor for factor in _SEARCH_WAITS)
        self._raise_on_status = raise_on_status

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send one request, and read its answer to the end unless that is the caller's wish."""
        begun_s, n_refused, waits_s = time.monotonic(), 0, iter(self._waits_s)
        while True:
            answer = self._answer(request, stream, *args, **kwargs)
            if isinstance(answer, requests.Response) and answer.status_code not in (*REFUSED, *BUSY):
                return answer
            n_refused += _status(answer) in REFUSED
            wait_s = None if n_refused > _REFUSED_AGAIN else _wait_s(answer, waits_s)
            if wait_s is None or time.monotonic() + wait_s > begun_s + SEARCH_BUDGET_S:
                return self._given_up(request, answer)
            time.sleep(wait_s)

    def _answer(
        self, request: requests.PreparedRequest, stream: bool, *args: Any, **kwargs: Any
    ) -> requests.Response | requests.RequestException:
        """Ask once; what went wrong on the way is an answer too."""
        try:
            response = super().send(request, stream, *args, **{**kwargs, "timeout": TIMEOUT_S})
            if not stream or response.status_code in (*REFUSED, *BUSY):
                response.content  # noqa: B018  # read to its end, so that it breaks off here and not later
        except (ChunkedEncodingError, requests.ConnectionError, requests.Timeout) as error:
            return error
        return response

    def _given_up(
        self, request: requests.PreparedRequest, answer: requests.Response | requests.RequestException
    ) -> requests.Response:
        if isinstance(answer, requests.RequestException):
            raise answer
        if self._raise_on_status:
            said = f"HTTP status {answer.status_code} of {request.url}"
            raise RetryError(said, request=request, response=answer)
        return answer


def _status(answer: requests.Response | requests.RequestException) -> int | None:
    return answer.status_code if isinstance(answer, requests.Response) else None


def _wait_s(answer: requests.Response | requests.RequestException, waits_s: Iterator[float]) -> float | None:
    """Wait before the next attempt: what the server asks for, else ours; None where there is none left."""
    own_s = next(waits_s, None)
    if own_s is None or not isinstance(answer, requests.Response):
        return own_s
    try:
        asked_s = Retry().parse_retry_after(answer.headers["Retry-After"])
    except (KeyError, InvalidHeader):
        return own_s
    return min(asked_s, LONGEST_WAIT_S)


def login_refused(url: str, status: int) -> str:
    """Say what to renew where a search was refused: `requests` shows logins that nobody has told it to."""
    host = urlsplit(url).hostname
    return (
        f"the search of {url} was refused, HTTP status {status}. Searching shows no Earthdata login, but it "
        f"does show one in the address and a line for {host}, or 'default', in ~/.netrc (or NETRC): correct "
        "or remove that one; where there is none, ask whoever runs the catalogue for access"
    )


class Patience(NamedTuple):
    """What one kind of failure is worth.

    Attributes
    ----------
    kind
        Its name: failures of one kind are counted together.
    waits_s
        Seconds before each repetition; as many failures are borne.
    budget_s
        Seconds that attempts that failed in this way, and their waits, may take before the last is begun.
    """

    kind: str
    waits_s: tuple[float, ...]
    budget_s: float


NO_PATIENCE = Patience("hopeless", (), 0.0)


def patiently(attempt: Callable[[int], T], worth: Callable[[Exception], Patience]) -> T:
    """Try until it works, it makes no sense any more, or the time is up.

    Parameters
    ----------
    attempt
        Called with 0, 1, 2, ...
    worth
        Tells what a failure is worth. Kinds are borne beside each other, each with its own waits and time.

    Raises
    ------
    Exception
        What the last attempt raised.
    """
    failures: Counter[str] = Counter()
    spent_s: defaultdict[str, float] = defaultdict(float)
    while True:
        begun_s = time.monotonic()
        try:
            return attempt(failures.total())
        except Exception as error:
            kind, waits_s, budget_s = worth(error)
            failures[kind] += 1
            if failures[kind] > len(waits_s):
                raise
            wait_s = waits_s[failures[kind] - 1]
            spent_s[kind] += time.monotonic() - begun_s + wait_s
            if spent_s[kind] > budget_s:
                raise
            time.sleep(wait_s)
