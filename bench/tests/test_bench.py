"""The harness itself: what it reads, how it calculates, and what it shows."""

import pytest

from bench import floor, report
from bench.crowd import Crowd
from bench.endpoints import ENDPOINTS, Client, Run, World
from bench.load import Measurement, Request
from bench.systems import BEST, DRF, OURS, BenchError

WRK = """\
Running 4s test @ http://127.0.0.1:8100
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    17.30ms    9.66ms 173.43ms   93.41%
    Req/Sec     1.90k   236.20     2.21k    82.50%
  Latency Distribution
     50%  500.00us
     75%   18.54ms
     90%   23.41ms
     99%    1.20s
  7601 requests in 4.02s, 6.65MB read
Requests/sec:   1890.25
Transfer/sec:      1.65MB
"""
PGBENCH = """\
number of transactions actually processed: 2400
number of failed transactions: 0 (0.000%)
latency average = 13.3 ms
initial connection time = 9.1 ms
tps = 600.5 (without initial connection time)
"""
LIST, SEARCH, LOGIN, VOTE = (
    next(each for each in ENDPOINTS if each.name == name)
    for name in ("list", "search", "login", "vote")
)
WORLD = World(posts=range(1, 500), owned=[(1, 1)], voters=range(1, 14), terms=["x"], emails=["e"])
RUN = Run(WORLD, Client({user: f"token-{user}" for user in WORLD.voters}), 0, 1)


def measurement(rate: float, p99: float = 10) -> Measurement:
    return Measurement(requests=1000, rate=rate, median=1, p99=p99)


@pytest.fixture
def results() -> report.Results:
    results = report.Results("a machine", "some data", [OURS, BEST, DRF])
    for rates in ((3000, 1000, 400), (10, 20, 1), (2000, 800, 300)):
        for system, rate in zip(results.systems, rates, strict=True):
            results.add(LIST, system, measurement(rate, p99=rate / 100), cpu=rate / 1000)
            results.add(SEARCH, system, measurement(rate * 2), cpu=1)
            results.memory[system.name] = (90 * 2**20, 100 * 2**20)
    results.floor["list"] = [9000, 1, 8000]
    return results


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [("1.20s", 1200), ("34.50ms", 34.5), ("500.00us", 0.5), ("1.00m", 60000)],
)
def test_reads_what_wrk_measured(time: str, milliseconds: float) -> None:
    read = Measurement.parse(WRK.replace("1.20s", time))

    assert read == Measurement(requests=7601, rate=1890.25, median=0.5, p99=milliseconds)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Requests/sec:", "  Non-2xx or 3xx responses: 3\nRequests/sec:"),
        ("Requests/sec:", "  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec:"),
        ("7601 requests in", "0 requests in"),
        ("99% ", "98% "),
    ],
)
def test_wrk_s_errors_are_fatal(before: str, after: str) -> None:
    with pytest.raises(BenchError):
        Measurement.parse(WRK.replace(before, after))


def test_reads_what_pgbench_measured() -> None:
    assert floor.parse(PGBENCH) == 600.5


@pytest.mark.parametrize(
    ("before", "after"), [("failed transactions: 0", "failed transactions: 7"), ("tps", "")]
)
def test_pgbench_s_errors_are_fatal(before: str, after: str) -> None:
    with pytest.raises(BenchError):
        floor.parse(PGBENCH.replace(before, after))


def test_medians_count(results: report.Results) -> None:
    assert results.rate(LIST, OURS) == 2000
    assert results.median("p99", LIST, BEST) == 8


def test_the_table_has_rates_ratios_and_the_floor(results: report.Results) -> None:
    lines = report.table(results).splitlines()

    assert lines[0] == "some data; a machine."
    assert lines[2].endswith("| × FastAPI at its best | × stock DRF | PostgreSQL alone |")
    assert lines[4] == (
        "| GET /posts?limit=10 | 2,000 (20) | 800 (8) | 300 (3) | 2.50 × | 6.67 × | 8,000 |"
    )
    assert lines[5].endswith("| 2.50 × | 6.67 × |  |")
    assert "| GET /posts?limit=10 | 2.00 | 0.80 | 0.30 |" in lines
    assert lines[-1].endswith("| 90 (100) | 90 (100) | 90 (100) |")


def test_the_table_needs_neither_ours_nor_a_floor(results: report.Results) -> None:
    results.systems, results.floor = [BEST, DRF], {}

    assert "| GET /posts?limit=10 | 800 (8) | 300 (3) |" in report.table(results)


def test_a_crowd_is_compared_by_medians() -> None:
    alone = [measurement(1000, 20), measurement(900, 40), measurement(5, 1)]
    amid = [measurement(800, 30), measurement(990, 25), measurement(1, 99)]

    table = report.crowd_table(
        VOTE, alone, amid, [Crowd(2000, 200, events) for events in (1, 9, 4)]
    )

    assert "| alone | 2,000 idle connections, 200 streams | ratio |" in table
    assert "| requests/s | 900 | 800 | 0.89 × |" in table
    assert "| p99 in ms | 20 | 30 | 1.50 × |" in table
    assert "| 4 |" in table


def test_a_vote_of_the_floor_is_taken_back() -> None:
    cast, withdrawn = floor.choose(VOTE, RUN)

    assert '"vote_dir":1' in cast.body
    assert withdrawn.body == cast.body.replace('"vote_dir":1', '"vote_dir":0')


def test_the_floor_asks_the_same_with_free_parameters_as_variables() -> None:
    parameters = [("user", "bigint", "7"), ("title", "text", "it's 10:30")]

    written = floor.write(
        "SELECT $2 WHERE a = $1 AND b = $1", parameters, is_planned_anew=False, free=VOTE.free
    )

    assert written.startswith(
        r"SELECT E'it\x27s 10\x3a30'::text WHERE a = :user::bigint AND b = :user"
    )
    assert written.endswith("::bigint;\n")


def test_no_pair_of_post_and_voter_comes_twice() -> None:
    votes = [(request.token, request.body) for request in VOTE.requests(RUN)]

    assert len(votes) > len(WORLD.posts)
    assert len(set(votes[: 399 * 13])) == 399 * 13


def test_requests_are_lines_for_the_script() -> None:
    request = Request("POST", "/vote", "token", '{"post_id":1}', "application/json")

    assert request.line == 'POST\t/vote\ttoken\tapplication/json\t{"post_id":1}\n'
    assert next(LOGIN.requests(RUN)).line.startswith("POST\t/login\t\t")
