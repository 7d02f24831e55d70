"""Breaks one thing after another under load, and compares what clients were told with the data."""

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .clients import UNANSWERED, UNAVAILABLE, Client, UnknownError
from .faults import FAULTS, HARMLESS
from .services import ROOT, Database, Service, everything

CLIENTS = 8
# Seconds to recover; a service that takes longer is broken.
PATIENCE = 60
LOG = ROOT / ".local" / "chaos.log"
LINE = "{:52} {:>9} {:>6} {:>6} {:>11}"


def main() -> int:
    """Run all, print what came of it, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="socialapi-") as name:
        folder = Path(name)
        with everything(folder) as (database, service):
            violations = break_all(database, service)
        if violations:
            LOG.parent.mkdir(exist_ok=True)
            shutil.copy(service.log, LOG)
            print(*violations, f"The service's log is in {LOG}.", sep="\n", file=sys.stderr)
    return 1 if violations else 0


def break_all(database: Database, service: Service) -> list[str]:
    """Break one thing after another, and return all that is wrong in the end."""
    wait_for(service)
    clients = [Client(service.port, number) for number in range(CLIENTS)]
    for client in clients:
        client.sign_up()
        client.thread.start()
    violations = []
    wait_until_well(clients)
    print(LINE.format("", "answered", "503", "none", "recovery, s"))
    for fault in FAULTS:
        before = count(clients)
        fault(database, service)
        ended = time.monotonic()
        if not wait_until_well(clients):
            violations.append(f"{fault.__doc__}: not back after {PATIENCE} seconds.")
            break
        recovery = time.monotonic() - ended
        answers = count(clients) - before
        failed = answers[UNAVAILABLE], answers[UNANSWERED]
        answered = answers.total() - sum(failed)
        print(LINE.format(fault.__doc__ or "", answered, *failed, f"{recovery:.2f}"), flush=True)
        if fault in HARMLESS and any(failed):
            violations.append(f"{fault.__doc__}: others noticed.")
    for client in clients:
        client.is_stopped.set()
    for client in clients:
        client.thread.join()
    violations += [line for client in clients for line in client.violations]
    return violations + compare(database, clients)


def wait_for(service: Service) -> None:
    """Return when the service answers."""
    probe = Client(service.port, CLIENTS)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            probe.ask("GET", "/health/ready", 200)
        except UnknownError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"The service did not start:\n{service.log.read_text()}")


def wait_until_well(clients: list[Client]) -> bool:
    """Whether every client gets all its answers again, which is waited for."""
    since = time.monotonic()
    while time.monotonic() < since + PATIENCE:
        if all(client.well_since > since for client in clients):
            return True
        time.sleep(0.01)
    return False


def count(clients: list[Client]) -> Counter[int]:
    """Return how many answers there were, by status."""
    return sum((Counter(client.answers) for client in clients), Counter())


def compare(database: Database, clients: list[Client]) -> list[str]:
    """Return where the data is not what the clients were told."""
    rows = database.execute("SELECT title, content FROM posts_post")
    titles = Counter(str(title) for title, _ in rows)
    contents = {str(title): str(content) for title, content in rows}
    wrong = [f"{title} is there {times} times." for title, times in titles.items() if times > 1]
    votes = set(database.execute("SELECT user_id, post_id FROM votes_vote"))
    posts = {post for (post,) in database.execute("SELECT id FROM posts_post")}
    acknowledged = 0
    for client in clients:
        for title, known in client.posts.items():
            acknowledged += len(known) == 1
            if (content := contents.get(title)) not in known:
                wrong.append(f"{title} is {content!r}, and not one of {known}.")
        for post, states in client.votes.items():
            acknowledged += len(states) == 1
            if post in posts and ((client.user_id, post) in votes) not in states:
                wrong.append(f"The vote of {client.user_id} on {post} is not {states}.")
    miscounted = database.execute(
        "SELECT id FROM posts_post WHERE vote_count <>"
        " (SELECT count(*) FROM votes_vote WHERE post_id = posts_post.id)"
    )
    wrong += [f"The votes on {post} are miscounted." for (post,) in miscounted]
    print(f"{acknowledged} acknowledged states compared, {len(wrong)} wrong.")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
