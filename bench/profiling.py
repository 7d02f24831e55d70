"""Shows where a system's time goes while it is under load."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .systems import LOCAL, System

# Samples per second.
FREQUENCY = 100
LINES = 50


def record(worker: int, system: System, name: str, seconds: int) -> Path:
    """Sample a process for so long, and return the file with its stacks and their counts.

    Only what holds the interpreter's lock counts: threads that wait are of no interest.
    A flame graph beside it shows the same in a browser, of another sample.
    """
    stem = LOCAL / f"profile-{system.name}-{name}"
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
    for style, suffix in (("flamegraph", ".svg"), ("raw", ".txt")):
        command = [
            *(spy, "record", f"--pid={worker}", f"--duration={seconds}", f"--rate={FREQUENCY}"),
            *(f"--format={style}", f"--output={stem.with_suffix(suffix)}", "--gil"),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return stem.with_suffix(".txt")


def summary(stacks: Iterable[str]) -> Iterator[str]:
    """Yield the functions that took most, in percent: with what they called, and alone."""
    whole, alone = Counter[str](), Counter[str]()
    total = 0
    for line in stacks:
        stack, _, samples = line.rpartition(" ")
        # Without the numbers of lines.
        frames = re.sub(r":\d+\)", ")", stack).split(";")
        total += int(samples)
        alone[frames[-1]] += int(samples)
        for frame in set(frames):
            whole[frame] += int(samples)
    for title, counts in (("with what it calls", whole), ("alone", alone)):
        yield f"\n  %  {title}"
        for frame, count in counts.most_common(LINES):
            yield f"{100 * count / total:5.1f}  {frame}"
