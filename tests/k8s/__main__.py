"""Run the cluster test: ``python -m tests.k8s [PART...]``; `make test-cluster` prepares what it needs."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable

from tests.k8s import lifecycle
from tests.k8s.bench import WORK, Bench, bench
from tests.k8s.content import Content

logger = logging.getLogger("test-cluster")
PARTS: dict[str, Callable[[Bench, Content], None]] = {
    "refusals": lifecycle.refusals,
    "volume": lifecycle.in_volume,
    "bucket": lifecycle.in_bucket,
}


def main(wanted: list[str]) -> None:
    """Run the parts that are named, or all; the log goes to stdout and to build/cluster/log.txt."""
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        sys.exit(f"unknown part {unknown[0]!r}; take some of {', '.join(PARTS)}, or none for all")
    if os.geteuid():
        sys.exit("test-cluster runs containers with limits and a network of their own: run it as root")
    for number in (signal.SIGINT, signal.SIGTERM):  # everything is taken away then, too
        signal.signal(number, signal.default_int_handler)
    _log_to_both()
    begun_s = time.monotonic()
    with bench() as on:
        try:
            reference = lifecycle.prepare(on)
            for name in wanted or PARTS:
                PARTS[name](on, reference)
        except BaseException:
            logger.error("broken off\n%s", on.state())
            raise
    for step, seconds in on.times.items():
        logger.info("%6.1f s  %s", seconds, step)
    whole_s, load = time.monotonic() - begun_s, os.getloadavg()[0]
    logger.info("%6.1f s  all; %s cores, load %.1f", whole_s, os.cpu_count(), load)


def _log_to_both() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.StreamHandler(sys.stdout),
        logging.FileHandler(WORK / "log.txt", mode="w"),
    ]
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers
    )


if __name__ == "__main__":
    main(sys.argv[1:])
