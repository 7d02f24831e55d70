"""What the workers count, each by itself, and the sum of it.

A worker counts in its own memory, which costs a request less than a microsecond, and writes all of
it to a file once a second. Whoever is asked for the sum adds up the files. A library's counters
for several processes cost twenty times as much, since each step of theirs is a write to a file.

gunicorn's master imports this, so it knows neither Django nor the settings.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from threading import Lock

import orjson

type Key = tuple[str | int, ...]
type Counts = dict[Key, list[float]]

# The sum of the workers that have ended.
ENDED = "ended"
UNFINISHED = ".new"

# Where the workers of this server write. Without it a process knows of itself alone.
folder: Path | None = None
# Of this process: one number for each key, or as many as the key always has.
counts: Counts = {}
lock = Lock()


def numbers(key: Key, size: int) -> list[float]:
    """Return the numbers of a key, to be added to. Without a lock: each key has its thread."""
    return counts.get(key) or counts.setdefault(key, [0] * size)


def count(*key: str) -> None:
    """Count an event, in whatever thread it happens."""
    with lock:
        numbers(key, 1)[0] += 1


def expect(*key: str) -> None:
    """Count an event from none on: of what appears with its first, Prometheus misses that one."""
    numbers(key, 1)


def open_folder() -> None:
    """Make the folder, for the workers that are to come."""
    global folder  # noqa: PLW0603 (they inherit it)
    folder = Path(mkdtemp(prefix="socialapi-metrics-"))


def close_folder() -> None:
    """Remove the folder."""
    if folder:
        rmtree(folder, ignore_errors=True)


def save(gauges: Mapping[str, float]) -> None:
    """Write down what this process has counted, and what it measures now."""
    if folder:
        with lock:
            write(folder / str(os.getpid()), counts, gauges)


def total() -> tuple[Counts, dict[str, float]]:
    """Return what all workers have counted, and the sums of what they measure.

    That is what they have written down.
    """
    sums: Counts = {}
    gauges: dict[str, float] = {}
    if folder is None:
        return counts.copy(), gauges
    with locked(folder, fcntl.LOCK_SH):
        for path in folder.iterdir():
            if path.suffix == UNFINISHED:
                continue
            theirs, measured = read(path)
            add(sums, theirs)
            for name, value in measured.items():
                gauges[name] = gauges.get(name, 0) + value
    return sums, gauges


def bury(pid: int) -> None:
    """Keep what a worker that has ended had counted, and forget what it measured."""
    if folder is None or not (path := folder / str(pid)).exists():
        return
    with locked(folder, fcntl.LOCK_EX):
        sums, _ = read(path)
        if (ended := folder / ENDED).exists():
            add(sums, read(ended)[0])
        write(ended, sums, {})
        path.unlink()


def add(sums: Counts, others: Counts) -> None:
    """Add counts to others."""
    for key, values in others.items():
        known = sums.get(key) or [0] * len(values)
        sums[key] = [a + b for a, b in zip(known, values, strict=True)]


def write(path: Path, sums: Counts, gauges: Mapping[str, float]) -> None:
    """Replace a file at once, so that nobody reads half of it."""
    new = path.with_suffix(UNFINISHED)
    new.write_bytes(orjson.dumps([list(sums.items()), gauges]))
    new.rename(path)


def read(path: Path) -> tuple[Counts, dict[str, float]]:
    """Return what `write` has written."""
    sums, gauges = orjson.loads(path.read_bytes())
    return {tuple(key): values for key, values in sums}, gauges


@contextmanager
def locked(place: Path, mode: int) -> Iterator[None]:
    """Hold off burials, or, for one, also those who read."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        os.close(descriptor)
