"""What is measured: for each endpoint, the requests that are sent."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from .load import Request

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PASSWORD = "correct-horse-42"  # The seeded users'.
# No system takes more votes in a second, and no run takes more seconds: so none repeats a vote.
FASTEST, LONGEST = 6000, 60
# Posts that are kept for votes on one post.
KEPT = 100
TEXT = (
    "Bread rises in its own time. The dough was left overnight, folded in the morning, and baked "
    "in a pot; what came out had a crust that sang for minutes. Next week the flour will be "
    "another one, and everything that was learnt begins anew."
)


@dataclass(frozen=True)
class World:
    """What is in the databases, the same for every system."""

    posts: Sequence[int]
    owned: Sequence[tuple[int, int]]
    voters: Sequence[int]
    terms: Sequence[str]
    emails: Sequence[str]


@dataclass(frozen=True)
class Client:
    """What is needed to call one system: each user's token, and pages far down the list."""

    tokens: dict[int, str]
    deep_pages: Sequence[str] = ()

    def as_json(self, method: str, path: str, user: int, **data: object) -> Request:
        """Return a request with a JSON body."""
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return Request(method, path, self.tokens[user], body, JSON)


@dataclass(frozen=True)
class Run:
    """One use of an endpoint; each has a number of its own, from 0."""

    world: World
    client: Client
    number: int
    seconds: int

    @property
    def writes(self) -> range:
        """As many numbers as there can be requests."""
        return range(FASTEST * self.seconds)

    def someone(self) -> str:
        """Return the token of a random user."""
        return self.client.tokens[random.choice(self.world.voters)]


def read(run: Run, paths: Sequence[str]) -> Iterator[Request]:
    """Get random ones of these paths, as random users."""
    for _ in range(2000):
        yield Request("GET", random.choice(paths), run.someone())


def list_posts(run: Run) -> Iterator[Request]:
    """Get the newest posts."""
    return read(run, ["/posts?limit=10"])


def get_post(run: Run) -> Iterator[Request]:
    """Get random posts."""
    return read(run, [f"/posts/{post}" for post in run.world.posts])


def search_posts(run: Run) -> Iterator[Request]:
    """Search for terms that some 20 titles contain."""
    return read(run, [f"/posts?search={quote(term)}&limit=20" for term in run.world.terms])


def deep_page(run: Run) -> Iterator[Request]:
    """Get pages some 5,000 posts down."""
    return read(run, run.client.deep_pages)


def create_post(run: Run) -> Iterator[Request]:
    """Write posts."""
    for number in run.writes:
        title = f"Baking bread, part {run.number}.{number}"
        user = random.choice(run.world.voters)
        yield run.client.as_json("POST", "/posts", user, title=title, content=TEXT)


def update_post(run: Run) -> Iterator[Request]:
    """Write random posts anew."""
    for number in run.writes:
        title = f"Baking bread, part {run.number}.{number}"
        owner, post = random.choice(run.world.owned)
        yield run.client.as_json("PUT", f"/posts/{post}", owner, title=title, content=TEXT)


def cast_votes(run: Run) -> Iterator[Request]:
    """Vote for posts in no order, each time as another user.

    The number of voters is a prime, so that no pair of post and voter comes twice: a post meets
    the voters in steps of one more than the number of posts.
    """
    posts, voters = run.world.posts[:-KEPT], run.world.voters
    start = run.number * FASTEST * LONGEST
    for number in range(start, start + len(run.writes)):
        turn, index = divmod(number, len(posts))
        voter = voters[(index + turn * (len(posts) + 1)) % len(voters)]
        yield run.client.as_json("POST", "/vote", voter, post_id=posts[index], vote_dir=1)


def vote_on_one_post(run: Run) -> Iterator[Request]:
    """Let every voter vote for one post, then take the vote back, and so on."""
    post = run.world.posts[-KEPT:][run.number]
    for direction in (1, 0):
        for voter in run.world.voters:
            yield run.client.as_json("POST", "/vote", voter, post_id=post, vote_dir=direction)


def log_in(run: Run) -> Iterator[Request]:
    """Log in random users; the email under each name that a system may have for it."""
    for _ in range(2000):
        email = random.choice(run.world.emails)
        form = urlencode({"username": email, "email": email, "password": PASSWORD})
        yield Request("POST", "/login", "", form, FORM)


@dataclass(frozen=True)
class Endpoint:
    """What is measured under this name.

    For `bench.floor`: which parameters of its SQL may take any user and post, and whether its
    requests are votes, to be taken back.
    """

    name: str
    title: str
    requests: Callable[[Run], Iterator[Request]]
    free: frozenset[str] = frozenset()
    is_vote: bool = False


CALLER = frozenset({"user", "session"})
# In the order in which they are measured: what changes the data comes after what reads it.
ENDPOINTS = (
    Endpoint("list", "GET /posts?limit=10", list_posts, CALLER),
    Endpoint("detail", "GET /posts/{id}", get_post, CALLER | {"pk"}),
    Endpoint("search", "GET /posts?search= (about 20 matches)", search_posts),
    Endpoint("page", "a page 5,000 posts down, by cursor", deep_page, CALLER),
    Endpoint("login", "POST /login", log_in),
    Endpoint("update", "PUT /posts/{id}", update_post),
    Endpoint("vote", "POST /vote on random posts", cast_votes, CALLER | {"pk"}, is_vote=True),
    Endpoint("one", "votes by many users on one post", vote_on_one_post, CALLER, is_vote=True),
    Endpoint("create", "POST /posts", create_post, CALLER),
)
