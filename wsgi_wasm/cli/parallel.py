"""Work on many modules at a time, with what becomes of them in the order in which they were given.

A compiler is a process of its own and uses all cores once it compiles, but most of a small module's
time goes to what comes before. So there are as many as there are cores, and not more than a few.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from wsgi_wasm.cli.progress import Tasks

R = TypeVar("R")

_LEAST = 2  # at a time, as much of each is waiting
_MOST = 8  # the same: each may take the memory that its limits allow


@dataclass(frozen=True, slots=True)
class Task(Generic[R]):
    """One piece of work, and what it is called while it is done."""

    name: str
    do: Callable[[], R]


class _Event(NamedTuple, Generic[R]):
    """A task has begun (neither `done` nor `failure`), or ended."""

    number: int
    done: list[R]
    failure: BaseException | None = None


def in_parallel(verb: str, tasks: Sequence[Task[R]]) -> Iterator[R]:
    """What the tasks return, in their order; `verb` says what is done, for people who wait.

    What one raises is raised here, when its turn comes. When this is left, no more tasks begin;
    those that have begun end by themselves, or with the process.
    """
    left = deque(enumerate(tasks))
    events: queue.SimpleQueue[_Event[R]] = queue.SimpleQueue()
    ended: dict[int, _Event[R]] = {}
    try:
        _start(left, events, min(max(len(os.sched_getaffinity(0)), _LEAST), _MOST, len(tasks)))
        with Tasks(verb, len(tasks)) as progress:
            for number in range(len(tasks)):
                while number not in ended:
                    _take(events, ended, tasks, progress)
                progress.clear()
                event = ended.pop(number)
                if event.failure is not None:
                    raise event.failure
                yield event.done[0]
    finally:
        left.clear()


def _take(
    events: queue.SimpleQueue[_Event[R]], ended: dict[int, _Event[R]], tasks: Sequence[Task[R]], progress: Tasks
) -> None:
    """The next event, or none for a while."""
    progress.show()
    try:
        event = events.get(timeout=progress.pause)
    except queue.Empty:
        return
    if event.done or event.failure is not None:
        ended[event.number] = event
        progress.end(tasks[event.number].name)
    else:
        progress.begin(tasks[event.number].name)


def _start(left: deque[tuple[int, Task[R]]], events: queue.SimpleQueue[_Event[R]], threads: int) -> None:
    """Begin with the work: here, where no thread can be had."""
    started = 0
    for _ in range(threads):
        try:
            # A daemon: Ctrl-C does not wait for it, and its compiler ends with this process.
            threading.Thread(target=_work, args=(left, events), daemon=True).start()
        except RuntimeError:
            break
        started += 1
    if not started:
        _work(left, events)


def _work(left: deque[tuple[int, Task[R]]], events: queue.SimpleQueue[_Event[R]]) -> None:
    while True:
        try:
            number, task = left.popleft()
        except IndexError:
            return
        events.put(_Event(number, []))
        try:
            events.put(_Event(number, [task.do()]))
        except BaseException as error:
            events.put(_Event(number, [], error))
