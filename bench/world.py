"""Chooses what is asked for: posts, users and terms to search for, from the seeded data."""

import random
from collections.abc import Sequence
from contextlib import closing

from .data import SUSPENDED, Cluster
from .endpoints import World

OWNERS = 300
TERMS = 60
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
    sample = "SELECT title FROM posts_post WHERE published ORDER BY md5(id::text) LIMIT 5000"
    titles = [title for (title,) in cluster.execute(database, sample)]
    chosen: dict[str, None] = {}
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
        for title in titles:
            words = title.split()
            start = chance.randrange(len(words))
            for end in range(start + 1, len(words) + 1):
                term = " ".join(words[start:end])
                if len(term) < LETTERS_MIN or set(term) & set("%_\\"):
                    continue
                cursor.execute(
                    "SELECT count(*) FROM posts_post"
                    " WHERE published AND upper(title) LIKE upper(%s)",
                    [f"%{term}%"],
                )
                ((count,),) = cursor.fetchall()
                if FEWEST <= count <= MOST:
                    chosen[term] = None
                if count <= MOST:
                    break
            if len(chosen) == TERMS:
                break
    return list(chosen)


def suspended_user(cluster: Cluster, database: str) -> int:
    """Return the id of the user who will be suspended."""
    ((user,),) = cluster.execute(
        database, f"SELECT id FROM accounts_user WHERE email = '{SUSPENDED}'"
    )
    return int(user)
