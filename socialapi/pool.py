"""Threads for the event loop to have its synchronous work done by.

`concurrent.futures` does the same by two futures, a lock and a callback more for each job, which
took a tenth of a request's time.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any

type Work = Callable[[], Any]


class Job:
    """Work for a thread, and the future that the loop awaits."""

    def __init__(self, work: Work) -> None:
        self.work = work
        # What is known of the request is known in the thread, too, and forgotten afterwards.
        self.context = copy_context()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        # Whoever takes it has the job: a thread that begins it, or the loop that calls it off.
        self.claim = [None]
        self.is_finished = False

    def take(self) -> bool:
        """Whether nobody has taken the job yet; the caller then has. Atomic across threads."""
        try:
            self.claim.pop()
        except IndexError:
            return False
        return True

    def run(self) -> None:
        """Do the work in the calling thread, and tell the loop."""
        result, error = None, None
        try:
            result = self.context.run(self.work)
        except BaseException as raised:  # noqa: BLE001 (it belongs to whoever awaits the future)
            error = raised
        self.loop.call_soon_threadsafe(self.finish, result, error)

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Wake whoever awaits the job, on the loop."""
        self.is_finished = True
        if self.future.cancelled():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Pool:
    """A fixed number of threads, which start with the first job."""

    def __init__(self, threads: int, name: str) -> None:
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.threads = [
            Thread(target=self.serve, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        self.is_started = False
        # Jobs that wait for a thread or are done by one.
        self.pending = 0

    async def run(self, work: Work) -> Any:
        """Have work done by a thread, as soon as one is free, and return its result.

        Work is not begun if the caller is cancelled while it waits. Once begun it cannot be
        stopped, so that a caller who is cancelled then waits for its end.
        """
        if not self.is_started:
            self.start()
        job = Job(work)
        self.pending += 1
        self.jobs.put(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            is_begun = not job.take()
            if not is_begun:
                del job.work  # Which may be large, and would wait for its turn all the same.
            while is_begun and not job.is_finished:
                job.future = job.loop.create_future()
                with suppress(asyncio.CancelledError):  # Again, which changes nothing.
                    await asyncio.wait([job.future])
            raise
        finally:
            self.pending -= 1

    def start(self) -> None:
        """Start the threads. Not before the first job, since a fork would leave them behind."""
        self.is_started = True
        for thread in self.threads:
            thread.start()

    def serve(self) -> None:
        """Do one job after another, for as long as there is no end to them."""
        while job := self.jobs.get():
            if job.take():
                job.run()

    def shutdown(self) -> None:
        """Wait until all jobs are done, and end the threads."""
        if not self.is_started:
            return
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()
