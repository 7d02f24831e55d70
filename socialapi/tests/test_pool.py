"""The pool: work in order, and nothing lost or left behind when a caller leaves."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from socialapi.pool import Pool

# Never reached unless something is broken.
PATIENCE_SECONDS = 20

type MakePool = Callable[[int], Pool]


class Gate:
    """Work that does not end until it is let through."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.opened = threading.Event()
        self.ended = False

    def work(self) -> str:
        """Wait, and then return something."""
        self.begun.set()
        assert self.opened.wait(PATIENCE_SECONDS)
        self.ended = True
        return "through"

    async def wait_for_begin(self) -> None:
        """Return when a thread is at it."""
        assert await asyncio.to_thread(self.begun.wait, PATIENCE_SECONDS)


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    """Make pools, which are shut down at the end."""
    pools: list[Pool] = []

    def make(threads: int) -> Pool:
        pools.append(Pool(threads, "test"))
        return pools[-1]

    yield make
    for pool in pools:
        pool.shutdown()


def threads_of(pool: Pool) -> int:
    """Return how many of a pool's threads run."""
    return sum(thread.is_alive() for thread in pool.threads)


def run(story: Awaitable[Any]) -> Any:
    """Run a story on a loop, for a while."""
    return asyncio.run(asyncio.wait_for(story, PATIENCE_SECONDS))


def test_work_is_done_in_a_thread_and_its_result_returned(make_pool: MakePool) -> None:
    pool = make_pool(2)

    assert run(pool.run(threading.current_thread)) in pool.threads
    assert pool.pending == 0


def test_there_is_no_thread_before_the_first_job(make_pool: MakePool) -> None:
    pool = make_pool(3)
    assert threads_of(pool) == 0

    run(pool.run(int))

    assert threads_of(pool) == 3


def test_one_thread_does_its_work_in_the_order_in_which_it_came(make_pool: MakePool) -> None:
    pool, done = make_pool(1), list[int]()

    async def story() -> None:
        await asyncio.gather(*(pool.run(partial(done.append, number)) for number in range(50)))

    run(story())
    assert done == list(range(50))


def test_as_much_is_done_at_once_as_there_are_threads(make_pool: MakePool) -> None:
    pool, meeting = make_pool(3), threading.Barrier(3)

    async def story() -> None:
        meet = partial(meeting.wait, PATIENCE_SECONDS)
        await asyncio.gather(*(pool.run(meet) for _ in range(3)))

    run(story())


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_error_travels_to_the_caller_and_the_thread_stays(
    make_pool: MakePool, error: BaseException
) -> None:
    pool = make_pool(1)

    def fail() -> None:
        raise error

    async def story() -> None:
        with pytest.raises(type(error)) as raised:
            await pool.run(fail)
        assert raised.value is error

    run(story())
    assert pool.pending == 0
    assert run(pool.run(lambda: 1)) == 1


def test_the_end_of_an_iteration_is_an_error_too(make_pool: MakePool) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        run(make_pool(1).run(partial(next, iter(()))))


def test_pending_counts_what_runs_and_what_waits(make_pool: MakePool) -> None:
    pool, gate = make_pool(1), Gate()

    async def story() -> None:
        tasks = [asyncio.create_task(pool.run(work)) for work in (gate.work, int, int)]
        await gate.wait_for_begin()
        assert pool.pending == 3
        gate.opened.set()
        assert await asyncio.gather(*tasks) == ["through", 0, 0]
        assert pool.pending == 0

    run(story())


def test_who_is_cancelled_while_waiting_takes_the_work_along(make_pool: MakePool) -> None:
    pool, gate, done = make_pool(1), Gate(), list[int]()

    async def story() -> None:
        running = asyncio.create_task(pool.run(gate.work))
        await gate.wait_for_begin()
        waiting = [asyncio.create_task(pool.run(partial(done.append, n))) for n in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[1]
        assert pool.pending == 3
        gate.opened.set()
        await asyncio.gather(running, waiting[0], waiting[2])

    run(story())
    assert done == [0, 2]
    assert pool.pending == 0


def test_who_is_cancelled_before_anything_was_asked_leaves_nothing(make_pool: MakePool) -> None:
    pool, done = make_pool(1), list[int]()

    async def story() -> None:
        task = asyncio.create_task(pool.run(partial(done.append, 1)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story())
    assert (done, pool.pending, threads_of(pool)) == ([], 0, 0)


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_cancelled_while_the_work_is_done_waits_for_its_end(
    make_pool: MakePool, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pool, gate = make_pool(1), Gate()

    def work() -> None:
        gate.work()
        if fails:
            raise ValueError("too late")

    async def story() -> None:
        task = asyncio.create_task(pool.run(work))
        await gate.wait_for_begin()
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
        assert pool.pending == 1
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gate.ended
        assert pool.pending == 0

    run(story())
    # An error that nobody waits for is logged, once nobody can.
    pool.shutdown()
    gc.collect()
    assert ("too late" in caplog.text) == fails


def test_who_is_cancelled_again_while_the_work_is_done_waits_no_less(
    make_pool: MakePool,
) -> None:
    pool, gate = make_pool(1), Gate()

    async def story() -> None:
        task = asyncio.create_task(pool.run(gate.work))
        await gate.wait_for_begin()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        assert pool.pending == 1
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.pending == 0

    run(story())


@pytest.mark.parametrize("cancels_first", [False, True])
def test_who_is_cancelled_in_the_turn_in_which_the_work_ends_is_not_stuck(
    make_pool: MakePool, cancels_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pool, gate = make_pool(1), Gate()

    async def story() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(pool.run(gate.work))
        await gate.wait_for_begin()
        if cancels_first:
            loop.call_soon(task.cancel)
        gate.opened.set()
        # The loop stands still until the thread has told of the end, and has no next job.
        pool.jobs.put(None)
        pool.threads[0].join(PATIENCE_SECONDS)
        if not cancels_first:
            loop.call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.pending == 0

    run(story())
    assert caplog.text == ""


def test_shutdown_waits_for_all_that_was_asked_and_ends_the_threads(make_pool: MakePool) -> None:
    pool, gate, done = make_pool(2), Gate(), list[int]()

    async def story() -> None:
        tasks = [asyncio.create_task(pool.run(gate.work))]
        tasks += [asyncio.create_task(pool.run(partial(done.append, n))) for n in range(20)]
        await gate.wait_for_begin()
        ending = asyncio.create_task(asyncio.to_thread(pool.shutdown))
        await asyncio.sleep(0.01)
        assert not ending.done()
        gate.opened.set()
        await ending
        await asyncio.gather(*tasks)

    run(story())
    assert gate.ended
    assert sorted(done) == list(range(20))
    assert threads_of(pool) == 0


def test_shutdown_of_a_pool_that_did_nothing_is_nothing(make_pool: MakePool) -> None:
    pool = make_pool(1)
    pool.shutdown()
    assert threads_of(pool) == 0
