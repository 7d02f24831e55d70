"""The load: requests, and wrk, which sends them."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .systems import HOST, BenchError

SCRIPT = Path(__file__).with_name("requests.lua")
# Seconds after which an answer counts as missing.
TIMEOUT = 10
UNITS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 60e3}


@dataclass(frozen=True)
class Request:
    """A request; the body has no line breaks."""

    method: str
    path: str
    token: str = ""
    body: str = ""
    content_type: str = ""

    @property
    def line(self) -> str:
        """The request as `requests.lua` reads it."""
        fields = (self.method, self.path, self.token, self.content_type, self.body)
        return "\t".join(fields) + "\n"


@dataclass(frozen=True)
class Measurement:
    """Requests per second, and milliseconds within which half and 99 % were answered.

    `cpu` are the milliseconds that the server's processes worked for one request.
    """

    requests: int
    rate: float
    median: float
    p99: float
    cpu: float = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what wrk prints; raises BenchError if anything went wrong."""
        if failed := re.search(r"Non-2xx.*|Socket errors.*", text):
            raise BenchError(failed[0])
        rate = re.search(r"Requests/sec: +([\d.]+)", text)
        requests = re.search(r"(\d+) requests in", text)
        median, p99 = (
            re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m) *$", text, re.MULTILINE)
            for percent in (50, 99)
        )
        if not (rate and requests and median and p99) or requests[1] == "0":
            raise BenchError(f"wrk measured nothing:\n{text}")
        return cls(
            int(requests[1]),
            float(rate[1]),
            *(float(found[1]) * UNITS[found[2]] for found in (median, p99)),
        )


def measure(port: int, requests: Iterable[Request], seconds: int, connections: int) -> Measurement:
    """Send the requests over and over, each connection one after the other."""
    with tempfile.NamedTemporaryFile("w", prefix="bench-") as file:
        file.writelines(request.line for request in requests)
        file.flush()
        command = [
            *("wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s"),
            *("--latency", f"--timeout={TIMEOUT}s", f"--script={SCRIPT}"),
            *(f"http://{HOST}:{port}", file.name),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
    return Measurement.parse(done.stdout)
