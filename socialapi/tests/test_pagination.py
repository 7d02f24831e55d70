"""What a link to another page keeps of a query. The pages themselves are in `posts`."""

import pytest

from socialapi.pagination import keep_query


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("limit=3", "limit=3&"),
        ("b=2&a=1&b=1&c", "b=2&a=1&b=1&c&"),
        ("cursor=x", ""),
        ("skip=4&limit=3&cursor=x", "limit=3&"),
        ("a=1&cursor=x&b=2&cursor=y&skip", "a=1&b=2&"),
        ("curs%6fr=x&%73kip=1&a=1", "a=1&"),
        ("curs%6Fr=x&curs%6f%72", ""),
        ("cursors=1&skip_=2&+skip=3&Cursor=4", "cursors=1&skip_=2&+skip=3&Cursor=4&"),
        ("search=cursor%3Dx%26skip", "search=cursor%3Dx%26skip&"),
        ("search=a=b", "search=a=b&"),
        ("a=cursor;cursor=1", "a=cursor;cursor=1&"),
        ("&&a=1&&&b=2&", "a=1&b=2&"),
        ("=x&a=", "=x&a=&"),
        ("search=é 漢", "search=%C3%A9%20%E6%BC%A2&"),
        ("search=100%&b=%zz&c=%ff", "search=100%&b=%zz&c=%ff&"),
        ("search=%C3%A9+%26", "search=%C3%A9+%26&"),
        ('a="<>\r\n', "a=%22%3C%3E%0D%0A&"),
    ],
)
def test_a_link_keeps_all_but_the_position_as_it_was_sent(query: str, kept: str) -> None:
    assert keep_query(query) == kept
