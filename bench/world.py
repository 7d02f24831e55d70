"""Chooses what is asked for: posts, users and terms to search for, from the seeded data."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from .data import SUSPENDED, Cluster
from .endpoints import World

OWNERS = 300
SAMPLE, TERMS = 5000, 60
# A term fits with so many matches.
FEWEST, MOST = 16, 24
LETTERS_MIN = 4


def choose_world(cluster: Cluster, database: str) -> World:
    """Read what the requests are made of from a database of ours; the same every time."""
    chance = random.Random(1)
    published = cluster.execute(
        database, "SELECT id, owner_id FROM posts_post WHERE published ORDER BY id"
    )
    chance.shuffle(published)
    owners = set(sorted({owner for _, owner in published})[:OWNERS])
    users = cluster.execute(
        database, "SELECT id, email, username LIKE 'voter%' FROM accounts_user ORDER BY id"
    )
    return World(
        posts=[post for post, _ in published],
        owned=[(owner, post) for post, owner in published if owner in owners],
        voters=[user for user, _, is_voter in users if is_voter],
        terms=choose_terms(cluster, database, chance),
        emails=[email for _, email, is_voter in users if is_voter],
    )


def choose_terms(cluster: Cluster, database: str, chance: random.Random) -> Sequence[str]:
    """Return parts of titles that about 20 of the published posts have in theirs.

    They are whole words, and so many of them as make the part rare enough.
    """
    rows = cluster.execute(
        database, "SELECT title FROM posts_post WHERE published ORDER BY md5(id::text)"
    )
    titles = [title.split() for (title,) in rows]
    sample = [(words, chance.randrange(len(words))) for words in titles[:SAMPLE]]
    known = {part.upper() for words, start in sample for part in parts_from(words, start)}
    # Those that begin or end within a word are left to PostgreSQL, which takes longer.
    counts = Counter(part for words in titles for part in known & all_parts(words))
    chosen: dict[str, None] = {}
    for words, start in sample:
        for term in parts_from(words, start):
            count = counts[term.upper()]
            if len(term) < LETTERS_MIN or set(term) & set("%_\\") or count > MOST:
                continue
            if count >= FEWEST and count_matches(cluster, database, term) <= MOST:
                chosen[term] = None
            break
        if len(chosen) == TERMS:
            break
    return list(chosen)


def parts_from(words: Sequence[str], start: int) -> Iterator[str]:
    """Yield the parts of a title that begin with a word, the shortest first."""
    return (" ".join(words[start:end]) for end in range(start + 1, len(words) + 1))


def all_parts(words: Sequence[str]) -> set[str]:
    """Return all parts of a title, in upper case."""
    upper = [word.upper() for word in words]
    return {part for start in range(len(upper)) for part in parts_from(upper, start)}


def count_matches(cluster: Cluster, database: str, term: str) -> int:
    """Return how many published titles contain a term."""
    quoted = term.replace("'", "''")
    ((count,),) = cluster.execute(
        database,
        "SELECT count(*) FROM posts_post"
        f" WHERE published AND upper(title) LIKE upper('%{quoted}%')",
    )
    return int(count)


def suspended_user(cluster: Cluster, database: str) -> int:
    """Return the id of the user who will be suspended."""
    ((user,),) = cluster.execute(
        database, f"SELECT id FROM accounts_user WHERE email = '{SUSPENDED}'"
    )
    return int(user)
