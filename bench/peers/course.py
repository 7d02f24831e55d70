"""FastAPI as a well-known course teaches it: synchronous SQLAlchemy on psycopg2, votes counted.

Endpoints run in FastAPI's pool of threads. Beyond the course, the owner is joined rather than
loaded for each post, and what is filtered and sorted by has its index.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, status
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jose import JWTError, jwt
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints
from sqlalchemy import ForeignKey, String, Text, create_engine, func, or_, select, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    contains_eager,
    mapped_column,
    relationship,
    sessionmaker,
)
from sqlalchemy.sql import Select

SECRET_KEY = os.environ["SECRET_KEY"]
ALGORITHM = "HS256"
LIFETIME = timedelta(minutes=int(os.environ["ACCESS_TOKEN_EXPIRE_MINUTES"]))

# The pool is SQLAlchemy's own, which has room for 15 of FastAPI's 40 threads; the others wait.
engine = create_engine("postgresql+psycopg2://")
SessionLocal = sessionmaker(engine, autoflush=False)
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# For users who are not there, so that they take as long as others.
NOBODY = hasher.hash("")
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="login")

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)


class Base(DeclarativeBase):
    """The tables."""


NOW = text("now()")
TIME = TIMESTAMP(timezone=True)


class User(Base):
    """Who logs in by email."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    username: Mapped[str] = mapped_column(String(30), unique=True)
    password: Mapped[str] = mapped_column(String(128))
    is_active: Mapped[bool] = mapped_column(server_default="TRUE")
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=NOW)


class Post(Base):
    """A text of a user."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(300))
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(server_default="TRUE")
    created_at: Mapped[datetime] = mapped_column(TIME, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(TIME, server_default=NOW)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)

    owner: Mapped[User] = relationship()


class Vote(Base):
    """One user's vote for one post."""

    __tablename__ = "votes"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class PostCreate(BaseModel):
    """What a post is made of."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"\S")]
    content: Annotated[str, StringConstraints(min_length=1, max_length=40_000, pattern=r"\S")]
    published: StrictBool = True


class UserOut(BaseModel):
    """A user as others see them."""

    id: int
    username: str
    created_at: datetime

    model_config = ConfigDict(from_attributes=True)


class PostOut(BaseModel):
    """A post as it is shown."""

    id: int
    title: str
    content: str
    published: bool
    created_at: datetime
    updated_at: datetime
    owner_id: int
    owner: UserOut
    votes: int
    voted: bool

    model_config = ConfigDict(from_attributes=True)


class PageOut(BaseModel):
    """A page of posts, and the way to its neighbours."""

    results: list[PostOut]
    next: str | None
    previous: str | None


class VoteIn(BaseModel):
    """A vote to add or to remove."""

    post_id: Annotated[StrictInt, Field(ge=1, lt=2**31)]
    vote_dir: Annotated[StrictInt, Field(ge=0, le=1)]


class Token(BaseModel):
    """What a login answers."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"


def create_schema() -> None:
    """Make the tables."""
    Base.metadata.create_all(engine)


def create_token(user_id: int) -> str:
    """Return an access token."""
    claims = {"sub": str(user_id), "exp": datetime.now(UTC) + LIFETIME}
    return str(jwt.encode(claims, SECRET_KEY, algorithm=ALGORITHM))


def get_db() -> Iterator[Session]:
    """Lend a session for one request."""
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


Database = Annotated[Session, Depends(get_db)]


def get_current_user(token: Annotated[str, Depends(oauth2_scheme)], db: Database) -> User:
    """Return the user of a good token."""
    refusal = HTTPException(
        status.HTTP_401_UNAUTHORIZED,
        "Could not validate credentials",
        headers={"WWW-Authenticate": "Bearer"},
    )
    try:
        user_id = int(jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])["sub"])
    except (JWTError, KeyError, ValueError):
        raise refusal from None
    user = db.query(User).filter(User.id == user_id).first()
    if user is None or not user.is_active:
        raise refusal
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def shown(user: User) -> Select[Any]:
    """Select posts with their votes counted, and whether the user has voted."""
    own = aliased(Vote)
    voted = select(own).where(own.post_id == Post.id, own.user_id == user.id).exists()
    return (
        select(Post, func.count(Vote.post_id).label("votes"), voted.label("voted"))
        .join(Post.owner)
        .outerjoin(Vote, Vote.post_id == Post.id)
        .options(contains_eager(Post.owner))
        .group_by(Post.id, User.id)
    )


def visible(user: User) -> Any:
    """What the user may see."""
    return or_(Post.published, Post.owner_id == user.id)


def with_votes(row: Any) -> dict[str, Any]:
    """Put a row's parts together."""
    post, votes, voted = row
    fields = {name: getattr(post, name) for name in PostOut.model_fields if hasattr(post, name)}
    return fields | {"votes": votes, "voted": voted}


def read_post(db: Session, user: User, post_id: int) -> dict[str, Any]:
    """Return a post, or answer 404."""
    row = db.execute(shown(user).where(Post.id == post_id, visible(user))).first()
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"Post {post_id} was not found")
    return with_votes(row)


def link(request: Request, skip: int) -> str:
    """Return the URL of another page."""
    return str(request.url.include_query_params(skip=skip))


@app.get("/posts")
def get_posts(  # noqa: PLR0913, PLR0917 - one parameter for each of the query
    request: Request,
    db: Database,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    skip: Annotated[int, Query(ge=0)] = 0,
    search: str = "",
) -> PageOut:
    """List posts, the newest first."""
    query = shown(user).where(Post.published)
    if search:
        query = query.where(Post.title.icontains(search, autoescape=True))
    # Ids rise with time, and grouping goes by them: so the rest need not be counted.
    query = query.order_by(Post.id.desc()).limit(limit + 1).offset(skip)
    rows: Sequence[Any] = db.execute(query).all()
    return PageOut(
        results=[PostOut.model_validate(with_votes(row)) for row in rows[:limit]],
        next=link(request, skip + limit) if len(rows) > limit else None,
        previous=link(request, max(skip - limit, 0)) if skip else None,
    )


@app.post("/posts", status_code=status.HTTP_201_CREATED, response_model=PostOut)
def create_posts(
    post: PostCreate, response: Response, db: Database, user: CurrentUser
) -> dict[str, Any]:
    """Write a post."""
    new = Post(owner_id=user.id, **post.model_dump())
    db.add(new)
    db.commit()
    db.refresh(new)
    response.headers["Location"] = f"/posts/{new.id}"
    return with_votes((new, 0, False))


@app.get("/posts/{post_id}", response_model=PostOut)
def get_post(post_id: int, db: Database, user: CurrentUser) -> dict[str, Any]:
    """Show a post."""
    return read_post(db, user, post_id)


@app.put("/posts/{post_id}", response_model=PostOut)
def update_post(
    post_id: int, changed: PostCreate, db: Database, user: CurrentUser
) -> dict[str, Any]:
    """Write a post anew."""
    query = db.query(Post).filter(Post.id == post_id, visible(user))
    post = query.first()
    if post is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"Post {post_id} was not found")
    if post.owner_id != user.id:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Not authorized to change this post")
    query.update(changed.model_dump() | {"updated_at": func.now()}, synchronize_session=False)
    db.commit()
    return read_post(db, user, post_id)


@app.post("/vote", status_code=status.HTTP_201_CREATED)
def vote(vote: VoteIn, db: Database, user: CurrentUser) -> dict[str, str]:
    """Add a vote, or remove it."""
    post = db.query(Post.id).filter(Post.id == vote.post_id, visible(user)).first()
    if post is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"Post {vote.post_id} was not found")
    query = db.query(Vote).filter(Vote.post_id == vote.post_id, Vote.user_id == user.id)
    found = query.first()
    if vote.vote_dir == 0:
        if found is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "Vote does not exist")
        query.delete(synchronize_session=False)
        db.commit()
        return {"message": "Vote removed."}
    try:
        if found is None:
            db.add(Vote(post_id=vote.post_id, user_id=user.id))
            db.commit()
            return {"message": "Vote added."}
    except IntegrityError:
        db.rollback()
    raise HTTPException(status.HTTP_409_CONFLICT, "You have already voted for this post")


@app.post("/login")
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: Database) -> Token:
    """Exchange email and password for a token."""
    user = db.query(User).filter(func.lower(User.email) == form.username.lower()).first()
    try:
        hasher.verify(user.password if user else NOBODY, form.password)
    except VerificationError:
        user = None
    if user is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Invalid credentials")
    if not user.is_active:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Suspended")
    return Token(access_token=create_token(user.id))
