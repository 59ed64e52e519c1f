"""Run the cluster test: ``python -m tests.k8s``; `make test-cluster` prepares what it needs."""

from __future__ import annotations

import logging
import os
import sys
import time

from tests.k8s import lifecycle
from tests.k8s.bench import WORK, bench

logger = logging.getLogger("test-cluster")


def main() -> None:
    """Run all parts; the log goes to stdout and to build/cluster/log.txt."""
    if os.geteuid():
        sys.exit("test-cluster runs containers with limits and a network of their own: run it as root")
    WORK.mkdir(parents=True, exist_ok=True)
    handlers = [logging.StreamHandler(sys.stdout), logging.FileHandler(WORK / "log.txt", mode="w")]
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers
    )
    begun_s = time.monotonic()
    with bench() as on:
        os.environ |= {"CONTAINERS_CONF": on.environ["CONTAINERS_CONF"]}
        reference = lifecycle.prepare(on)
        lifecycle.refusals(on)
        lifecycle.in_volume(on, reference)
        lifecycle.in_bucket(on, reference, os.environ)
        times = on.times
    for name, seconds in times.items():
        logger.info("%6.1f s  %s", seconds, name)
    logger.info(
        "%6.1f s  all, %d cores, load %.1f", time.monotonic() - begun_s, os.cpu_count(), os.getloadavg()[0]
    )


if __name__ == "__main__":
    main()
