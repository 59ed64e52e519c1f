"""Crew: the workers of a scheduler, looked at now and then, so that nobody waits for what cannot come."""

from __future__ import annotations

import time

from distributed import Client

from glaciolake.cluster.config import ClusterConfig
from glaciolake.cluster.errors import ClusterError
from glaciolake.cluster.patience import SAY_AFTER_S, has_needed, say_missing
from glaciolake.cluster.place import address_of, how_to_start, sorted_by_kind, workers_of

LOOK_S = 3.0
"""How old the picture of the workers may be, seconds: a look costs a message of a few kilobytes a worker."""
IN_FLIGHT = 2
"""Pieces per thread that are handed out at once: one is worked on, the next lies ready."""
AGAIN = "what is committed stays; run the same command again to go on from there"


class Crew:
    """Workers that a run counts on.

    Parameters
    ----------
    client
        Dask client.
    config
        Whether some of the work can only be done where a GPU is offered, how long workers of a kind that is
        needed may be away before the run is given up, and how many there may be.
    """

    def __init__(self, client: Client, config: ClusterConfig) -> None:
        self.client = client
        self._address = address_of(client)
        self._needs_gpu = config.gpu
        self._patience_s = config.workers_timeout_s
        self._most_threads = (config.max_workers or 0) * config.threads_per_worker
        self._seen_s = self._complete_s = time.monotonic()
        self._n_threads = 0
        self._said = False
        self.kinds: dict[str, list[str]] = {}
        self._look()

    @property
    def room(self) -> int:
        """Pieces that may be in flight now; more workers, more pieces."""
        # a cluster that grows with its work has to see some
        return IN_FLIGHT * max(1, self._n_threads, self._most_threads)

    def check(self) -> None:
        """Look at the workers, unless that was just done.

        Raises
        ------
        ClusterError
            The scheduler is lost, or workers of a kind that is needed have been away for too long.
        """
        if self.client.status != "running":
            raise self.lost()
        if time.monotonic() - self._seen_s >= LOOK_S:
            self._look()
        away_s = self._seen_s - self._complete_s
        if away_s > self._patience_s:
            n = sum(map(len, self.kinds.values()))
            what = f"offers a GPU ({n} workers do not)" if n else "is left"
            raise ClusterError(
                f"work waits, and for {self._patience_s:g} s no worker at {self._address} {what}; "
                f"{how_to_start(self._address, gpu=self._needs_gpu)}; {AGAIN}"
            )
        if away_s > SAY_AFTER_S and not self._said:
            self._said = True
            say_missing(self._address, self.kinds, away_s, self._patience_s)

    def lost(self) -> ClusterError:
        """Make the error for a scheduler that is gone, or has forgotten the work."""
        return ClusterError(
            f"the scheduler at {self._address} was lost or restarted in mid-run; see that it runs; {AGAIN}"
        )

    def _look(self) -> None:
        try:
            workers = workers_of(self.client)
        except OSError as error:  # TimeoutError is one too
            raise self.lost() from error
        self.kinds = sorted_by_kind(workers)
        self._n_threads = sum(worker["nthreads"] for worker in workers.values())
        self._seen_s = time.monotonic()
        if has_needed(self.kinds, gpu=self._needs_gpu):
            self._complete_s, self._said = self._seen_s, False
