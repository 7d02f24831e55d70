"""Child processes that do not outlive the script that starts them."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str | Path], stop: signal.Signals, **options: Any
) -> subprocess.Popen[Any]:
    """Start `command`; on Linux it gets the signal `stop` when this process ends, however it ends.

    Call it from the main thread: what the kernel watches is the thread that forked.
    """
    return subprocess.Popen(  # noqa: S603 - the commands are our own
        command,
        preexec_fn=_tie_to_parent(stop),  # noqa: PLW1509 - the scripts have no threads
        **options,
    )


def end(process: subprocess.Popen[Any], stop: signal.Signals, patience: float) -> None:
    """Send `stop` to a process that leads its own session; after `patience` seconds kill it.

    What it leaves behind in its process group is killed at once.
    """
    if process.poll() is None:
        process.send_signal(stop)
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tie_to_parent(stop: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def tie() -> None:
        # Python calls this after it changed the user, which would have undone the tie.
        libc.prctl(PR_SET_PDEATHSIG, int(stop))
        # The parent may have died before there was a tie to notice it.
        if os.getppid() != parent:
            os._exit(1)

    return tie
