"""Flow: work handed out a little at a time, in order, and given back as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from distributed import Future

from glaciolake.cluster.crew import Crew

TICK_S = 1.0
FETCH_S = 10.0
"""How long a result may take to come here before the workers are looked at again, seconds."""
T = TypeVar("T")
HandOut = Callable[[Crew, T], Future[Any]]


class Done(NamedTuple, Generic[T]):
    """One item and what became of it.

    Attributes
    ----------
    item
        What was handed out.
    value
        Result; None where there is an error.
    error
        What the work raised, or Dask where it killed its workers; None where there is a result.
    """

    item: T
    value: Any
    error: BaseException | None


def flow(crew: Crew, items: Iterable[T], hand_out: HandOut[T]) -> Iterator[Done[T]]:
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
    Done
        As they are done, in any order, each once.

    Raises
    ------
    ClusterError
        The scheduler is lost, or workers that are needed do not come back.
    """
    left = iter(items)
    waiting: dict[str, tuple[T, Future[Any]]] = {}  # a future that nobody holds is dropped
    back: SimpleQueue[Future[Any]] = SimpleQueue()
    while True:
        while len(waiting) < crew.room and (item := next(left, None)) is not None:
            future = hand_out(crew, item)
            waiting[str(future.key)] = (item, future)
            future.add_done_callback(back.put)
        if not waiting:
            return
        crew.check()
        try:
            future = back.get(timeout=TICK_S)
        except Empty:
            continue
        taken = _take(crew, waiting[str(future.key)][0], future)
        if taken is None:
            back.put(future)
            continue
        del waiting[str(future.key)]
        future.release()
        yield taken


def _take(crew: Crew, item: T, future: Future[Any]) -> Done[T] | None:
    """Fetch what came back; None where its worker was lost with it, and it is being done again."""
    try:
        if future.status == "error":
            return Done(item, None, future.exception())
        return Done(item, future.result(timeout=FETCH_S), None)
    except TimeoutError:
        return None
    except (CancelledError, OSError) as error:
        raise crew.lost() from error
    except Exception as error:  # it failed when it was done again
        return Done(item, None, error)
