"""Flow: work handed out a little at a time, in order, and given back as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from distributed import Future

from glaciolake.cluster.crew import Crew

TICK_S = 1.0
T = TypeVar("T")
HandOut = Callable[[Crew, T], Future]


def flow(crew: Crew, items: Iterable[T], hand_out: HandOut[T]) -> Iterator[tuple[T, Any]]:
    """Work through items of which only a few per thread are in flight.

    Neither the scheduler nor this process grows with the number of items, and a slow reader of the results
    slows the workers down.

    Parameters
    ----------
    crew
        The workers.
    items
        Work; drawn one by one as there is room.
    hand_out
        Makes the future of an item.

    Yields
    ------
    tuple of item and Future
        As they are done, finished or with an error; the future is released when the next one is asked for.

    Raises
    ------
    ClusterError
        The scheduler is lost, or workers that are needed do not come back.
    """
    left = iter(items)
    waiting: dict[str, tuple[T, Future[Any]]] = {}  # a future that nobody holds is dropped
    done: SimpleQueue[Future[Any]] = SimpleQueue()
    while True:
        while len(waiting) < crew.room and (item := next(left, None)) is not None:
            future = hand_out(crew, item)
            waiting[str(future.key)] = (item, future)
            future.add_done_callback(done.put)
        if not waiting:
            return
        crew.check()
        try:
            future = done.get(timeout=TICK_S)
        except Empty:
            continue
        crew.check_back(future)
        yield waiting.pop(str(future.key))[0], future
        future.release()
