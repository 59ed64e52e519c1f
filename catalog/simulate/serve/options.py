"""What a served archive is told: where, for whom, and how it is to fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from glaciolake.catalog.errors import CatalogError

FAULTS = ("401", "403-head", "429", "500", "stall", "truncate", "expired")
"""Login refused; HEAD refused; busy, with Retry-After; server error; an answer that hangs and then breaks
off; half a body; a signed address that is no longer valid."""
ALL = "all"
"""Stands for every fault that a request can meet, in equal parts."""
_SHARE = "give KIND=SHARE, such as 500=0.1 or all=0.1"


@dataclass(frozen=True)
class Options:
    """How an archive is served.

    Attributes
    ----------
    port
        Of the STAC API on loopback; 0 takes a free one.
    token
        Bearer token that the archive accepts.
    account
        Name and password that the login host accepts.
    faults
        Fault word, or `ALL`, -> share of the requests that meet it, 0 to 1; together at most 1.
    broken
        (pattern of file names, fault word): requests for those files fail, every time.
    seed
        Of the random faults. Which request fails depends on its address and on how often that was asked.
    now
        Granules that were made later are neither listed nor served; None shows all.
    stall_s, retry_after_s, signed_s
        Seconds: how long a stalled answer hangs, what Retry-After says, how long a signed address is valid.
    """

    port: int = 0
    token: str = "a-token-of-the-simulated-archive"
    account: tuple[str, str] = ("simulated", "not-a-secret")
    faults: Mapping[str, float] = field(default_factory=dict)
    broken: tuple[tuple[str, str], ...] = ()
    seed: int = 0
    now: datetime | None = None
    stall_s: float = 5.0
    retry_after_s: int = 1
    signed_s: float = 30.0

    def __post_init__(self) -> None:
        check_faults(self.faults)
        check_broken(self.broken)
        if not 0 <= self.port <= 65535:
            raise CatalogError(f"port is {self.port}; give 1 to 65535, or 0 for a free one")
        if not self.token or not self.token.isascii() or any(sign.isspace() for sign in self.token):
            raise CatalogError("the token is empty, or holds a blank or a sign that is not ASCII")
        if self.now is not None and self.now.tzinfo is None:
            raise CatalogError(f"now is {self.now.isoformat()}, without a zone; write it with a Z")


def check_faults(shares: Mapping[str, float]) -> None:
    """Refuse shares of unknown faults, and shares that are none."""
    for kind, share in shares.items():
        if kind != ALL:
            _check_kind(kind, f"--fault {kind}={share}")
        if not 0 <= share <= 1:
            raise CatalogError(f"the share of fault {kind!r} is {share}; give 0 to 1")
    if sum(shares.values()) > 1:
        raise CatalogError(f"the shares of faults add up to {sum(shares.values()):g}; give at most 1")


def check_broken(broken: Iterable[tuple[str, str]]) -> None:
    """Refuse unknown faults for ever."""
    for pattern, kind in broken:
        _check_kind(kind, f"--broken {pattern}={kind}")


def parse_faults(texts: Iterable[str]) -> dict[str, float]:
    """Shares of faults from ``KIND=SHARE``; a kind given twice is refused."""
    shares: dict[str, float] = {}
    for text in texts:
        kind, sign, share = text.partition("=")
        if kind in shares:
            raise CatalogError(f"--fault {kind} is given twice; give each kind once")
        try:
            shares[kind] = float(share)
        except ValueError:
            what = f"{share!r} is no number" if sign else "it has no share"
            raise CatalogError(f"--fault {text}: {what}; {_SHARE}") from None
    check_faults(shares)
    return shares


def parse_broken(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Files that fail for ever, from ``PATTERN=KIND``."""
    found = []
    for text in texts:
        pattern, sign, kind = text.rpartition("=")
        if not sign or not pattern:
            raise CatalogError(f"--broken {text}: give PATTERN=KIND, such as '*_20240604T*_VV.tif=500'")
        found.append((pattern, kind))
    check_broken(found)
    return tuple(found)


def _check_kind(kind: str, where: str) -> None:
    if kind not in FAULTS:
        raise CatalogError(f"{where}: there is no fault {kind!r}; there are {', '.join(FAULTS)}")
