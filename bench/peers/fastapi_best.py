"""FastAPI at its best: asynchronous SQLAlchemy on asyncpg, as few round trips as there can be.

Each statement is one transaction of its own (autocommit), so that no BEGIN, COMMIT or ROLLBACK
travels. Votes are counted in a column, lists are walked by keyset and searched by a trigram
index. What each choice gave is in docs/performance.md.
"""

import asyncio
import base64
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
import orjson
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Depends, FastAPI, Form, HTTPException, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field, StrictBool, StrictInt, StringConstraints
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    create_engine,
    func,
    insert,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import create_async_engine

SECRET_KEY = os.environ["SECRET_KEY"]
ALGORITHM = "HS256"
LIFETIME = timedelta(minutes=int(os.environ["ACCESS_TOKEN_EXPIRE_MINUTES"]))
JSON = "application/json"

engine = create_async_engine(
    "postgresql+asyncpg://",
    isolation_level="AUTOCOMMIT",
    # As many as there are requests under way: waiting for a connection costs more than having it.
    pool_size=32,
    max_overflow=0,
)
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# For users who are not there, so that they take as long as others.
NOBODY = hasher.hash("")
bearer = HTTPBearer(auto_error=False)
app = FastAPI()

metadata = MetaData()
TIME = TIMESTAMP(timezone=True)
NOW = text("now()")
users = Table(
    "users",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("email", String(254), nullable=False),
    Column("username", String(30), nullable=False, unique=True),
    Column("password", String(128), nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("created_at", TIME, nullable=False, server_default=NOW),
)
Index("users_email", func.lower(users.c.email), unique=True)
posts = Table(
    "posts",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("title", String(300), nullable=False),
    Column("content", Text, nullable=False),
    Column("published", Boolean, nullable=False, server_default=true()),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("updated_at", TIME, nullable=False, server_default=NOW),
    Column("owner_id", BigInteger, ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    Column("vote_count", Integer, nullable=False, server_default="0"),
)
Index("posts_by_owner", posts.c.owner_id)
Index("posts_by_time", posts.c.created_at, posts.c.id, postgresql_where=posts.c.published)
Index(
    "posts_search",
    func.lower(posts.c.title).label("title"),
    postgresql_using="gin",
    postgresql_ops={"title": "gin_trgm_ops"},
)
votes = Table(
    "votes",
    metadata,
    Column("user_id", BigInteger, ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True),
    Column("post_id", BigInteger, ForeignKey(posts.c.id, ondelete="CASCADE"), primary_key=True),
)
Index("votes_by_post", votes.c.post_id)


class PostIn(BaseModel):
    """What a post is made of."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"\S")]
    content: Annotated[str, StringConstraints(min_length=1, max_length=40_000, pattern=r"\S")]
    published: StrictBool = True


class VoteIn(BaseModel):
    """A vote to add or to remove."""

    post_id: Annotated[StrictInt, Field(ge=1, lt=2**63)]
    vote_dir: Annotated[StrictInt, Field(ge=0, le=1)]


# The statements, built once; SQLAlchemy finds the compiled text, and asyncpg the prepared plan.
FIND_USER = select(users.c.id, users.c.username, users.c.created_at, users.c.is_active).where(
    users.c.id == bindparam("user_id")
)
FIND_LOGIN = select(users.c.id, users.c.password, users.c.is_active).where(
    func.lower(users.c.email) == func.lower(bindparam("email"))
)
POST_COLUMNS = (
    posts.c.id,
    posts.c.title,
    posts.c.content,
    posts.c.published,
    posts.c.created_at,
    posts.c.updated_at,
    posts.c.owner_id,
    posts.c.vote_count,
)
OWN_VOTE = and_(votes.c.post_id == posts.c.id, votes.c.user_id == bindparam("caller"))
VISIBLE = or_(posts.c.published, posts.c.owner_id == bindparam("caller"))
SHOWN = select(
    *POST_COLUMNS,
    votes.c.user_id.is_not(None),
    users.c.username,
    users.c.created_at,
).select_from(posts.join(users, users.c.id == posts.c.owner_id).outerjoin(votes, OWN_VOTE))
FIND_POST = SHOWN.where(posts.c.id == bindparam("post_id"), VISIBLE)
IS_VISIBLE = select(posts.c.id).where(posts.c.id == bindparam("post_id"), VISIBLE)
PAGE = (
    SHOWN.where(posts.c.published)
    .order_by(posts.c.created_at.desc(), posts.c.id.desc())
    .limit(bindparam("rows", type_=Integer))
)
PAGE_AFTER = PAGE.where(
    tuple_(posts.c.created_at, posts.c.id)
    < tuple_(bindparam("time", type_=TIME), bindparam("id", type_=BigInteger))
)
PAGE_BEFORE = (
    SHOWN.where(
        posts.c.published,
        tuple_(posts.c.created_at, posts.c.id)
        > tuple_(bindparam("time", type_=TIME), bindparam("id", type_=BigInteger)),
    )
    .order_by(posts.c.created_at, posts.c.id)
    .limit(bindparam("rows", type_=Integer))
)
MATCHES = func.lower(posts.c.title).like(func.lower(bindparam("pattern", type_=Text)))
PAGES = {
    (page, search): statement.where(MATCHES) if search else statement
    for page, statement in {"": PAGE, "<": PAGE_AFTER, ">": PAGE_BEFORE}.items()
    for search in (False, True)
}
ADD_POST = insert(posts).returning(*POST_COLUMNS)
CHANGE_POST = (
    update(posts)
    .where(posts.c.id == bindparam("post_id"), posts.c.owner_id == bindparam("caller"))
    .values(
        title=bindparam("new_title"),
        content=bindparam("new_content"),
        published=bindparam("new_published"),
        updated_at=func.now(),
    )
    .returning(*POST_COLUMNS, select(votes.c.user_id).where(OWN_VOTE).exists())
)
# A vote and its count in one statement, and so in one transaction.
ADDED = (
    insert_or_skip(votes)
    .from_select(
        ["user_id", "post_id"],
        select(bindparam("caller", type_=BigInteger), posts.c.id).where(
            posts.c.id == bindparam("post_id"), VISIBLE
        ),
    )
    .on_conflict_do_nothing()
    .returning(votes.c.post_id)
    .cte()
)
ADD_VOTE = (
    update(posts)
    .where(posts.c.id == ADDED.c.post_id)
    .values(vote_count=posts.c.vote_count + 1)
    .returning(posts.c.id)
)
REMOVED = (
    votes.delete()
    .where(
        votes.c.user_id == bindparam("caller"),
        votes.c.post_id == bindparam("post_id"),
        posts.c.id == votes.c.post_id,
        VISIBLE,
    )
    .returning(votes.c.post_id)
    .cte()
)
REMOVE_VOTE = (
    update(posts)
    .where(posts.c.id == REMOVED.c.post_id)
    .values(vote_count=posts.c.vote_count - 1)
    .returning(posts.c.id)
)


def create_schema() -> None:
    """Make the tables."""
    plain = create_engine("postgresql+psycopg2://")
    with plain.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        metadata.create_all(connection)


def create_token(user_id: int) -> str:
    """Return an access token."""
    claims = {"sub": str(user_id), "exp": datetime.now(UTC) + LIFETIME}
    return jwt.encode(claims, SECRET_KEY, algorithm=ALGORITHM)


async def fetch_all(statement: Any, values: dict[str, Any]) -> Sequence[Row[Any]]:
    """Run one statement, and return its rows."""
    async with engine.connect() as connection:
        return (await connection.execute(statement, values)).all()


async def fetch(statement: Any, **values: Any) -> Row[Any] | None:
    """Run one statement that has one row at most, and return it."""
    return next(iter(await fetch_all(statement, values)), None)


async def get_user(
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Row[Any]:
    """Return the user of a good token."""
    refusal = HTTPException(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(token.credentials if token else "", SECRET_KEY, [ALGORITHM])
        user = await fetch(FIND_USER, user_id=int(claims["sub"]))
    except (jwt.InvalidTokenError, KeyError, ValueError):
        raise refusal from None
    if user is None or not user.is_active:
        raise refusal
    return user


CurrentUser = Annotated[Row[Any], Depends(get_user)]


def show(row: Any) -> dict[str, Any]:
    """Return a post as it is shown, from the columns of SHOWN in their order."""
    (id_, title, content, published, created, updated, owner, count, voted, name, joined) = row
    return {
        "id": id_,
        "title": title,
        "content": content,
        "published": published,
        "created_at": created,
        "updated_at": updated,
        "owner_id": owner,
        "owner": {"id": owner, "username": name, "created_at": joined},
        "votes": count,
        "voted": voted,
    }


def answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Serialize by orjson, past FastAPI's own encoder."""
    body = orjson.dumps(data, option=orjson.OPT_UTC_Z)
    return Response(body, status, headers, media_type=JSON)


def link(request: Request, row: Any, direction: str) -> str:
    """Return the URL of the page beyond a row."""
    place = orjson.dumps([direction, row.created_at, row.id])
    cursor = base64.urlsafe_b64encode(place).decode()
    return str(request.url.include_query_params(cursor=cursor))


def read_cursor(cursor: str) -> tuple[str, dict[str, Any]]:
    """Return a cursor's direction and position, or answer 400."""
    try:
        direction, time, post_id = orjson.loads(base64.urlsafe_b64decode(cursor))
        return direction, {"time": datetime.fromisoformat(time), "id": int(post_id)}
    except (ValueError, TypeError):
        raise HTTPException(400, "Bad cursor") from None


@app.get("/posts")
async def get_posts(
    request: Request,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    search: str = "",
    cursor: str = "",
) -> Response:
    """List posts, the newest first."""
    direction, values = read_cursor(cursor) if cursor else ("", {})
    if search:
        escaped = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        values["pattern"] = f"%{escaped}%"
    statement = PAGES[direction, bool(search)]
    rows = await fetch_all(statement, {"caller": user.id, "rows": limit + 1} | values)
    more, rows = len(rows) > limit, rows[:limit]
    if direction == ">":
        rows = rows[::-1]
    has_next = bool(rows) and (more or direction == ">")
    has_previous = bool(rows) and (more if direction == ">" else bool(cursor))
    return answer(
        {
            "results": [show(row) for row in rows],
            "next": link(request, rows[-1], "<") if has_next else None,
            "previous": link(request, rows[0], ">") if has_previous else None,
        }
    )


@app.post("/posts", status_code=201)
async def create_post(post: PostIn, user: CurrentUser) -> Response:
    """Write a post."""
    (row,) = await fetch_all(ADD_POST, {**post.model_dump(), "owner_id": user.id})
    shown = show((*row, False, user.username, user.created_at))
    return answer(shown, 201, {"Location": f"/posts/{row.id}"})


@app.get("/posts/{post_id}")
async def get_post(post_id: int, user: CurrentUser) -> Response:
    """Show a post."""
    row = await fetch(FIND_POST, post_id=post_id, caller=user.id)
    if row is None:
        raise HTTPException(404, "No such post")
    return answer(show(row))


@app.put("/posts/{post_id}")
async def update_post(post_id: int, post: PostIn, user: CurrentUser) -> Response:
    """Write a post anew."""
    row = await fetch(
        CHANGE_POST,
        post_id=post_id,
        caller=user.id,
        new_title=post.title,
        new_content=post.content,
        new_published=post.published,
    )
    if row is None:
        if await fetch(IS_VISIBLE, post_id=post_id, caller=user.id):
            raise HTTPException(403, "Only its owner may change a post")
        raise HTTPException(404, "No such post")
    return answer(show((*row, user.username, user.created_at)))


@app.post("/vote", status_code=201)
async def vote(vote: VoteIn, user: CurrentUser) -> Response:
    """Add a vote, or remove it."""
    values = {"post_id": vote.post_id, "caller": user.id}
    if vote.vote_dir:
        if await fetch(ADD_VOTE, **values):
            return answer({"message": "Vote added."}, 201)
        if await fetch(IS_VISIBLE, **values):
            raise HTTPException(409, "You have already voted for this post")
    elif await fetch(REMOVE_VOTE, **values):
        return answer({"message": "Vote removed."}, 201)
    raise HTTPException(404, "No such post, or no vote to remove")


@app.post("/login")
async def login(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
    """Exchange email and password for a token."""
    user = await fetch(FIND_LOGIN, email=username)
    try:
        # The hash takes a thread of its own, and the loop goes on.
        await asyncio.to_thread(hasher.verify, user.password if user else NOBODY, password)
    except VerificationError:
        user = None
    if user is None:
        raise HTTPException(401, "Wrong email or password")
    if not user.is_active:
        raise HTTPException(403, "Suspended")
    return answer({"access_token": create_token(user.id), "token_type": "bearer"})
