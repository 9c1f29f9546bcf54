"""Features of URLs: hosts, registered domains and parts of paths, good and bad."""

from __future__ import annotations

from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.provisional import urls

from sparkml.errors import InputError
from sparkml.features.urls import registered_domain, url_host, url_path_part


def one(kernel, url, **constants):
    """The kernel's answer for one URL."""
    return kernel(pa.array([url], pa.string()), **constants)[0].as_py()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.org", "example.org"),
        ("https://example.org?q=1", "example.org"),
        ("https://example.org#top", "example.org"),
        ("HTTP://WWW.Example.ORG:80/", "www.example.org"),
        ("http://example.org:/", "example.org"),
        ("https://me:pa:ss@example.org/", "example.org"),
        ("https://me@home@example.org/", "example.org"),
        ("https://example.org/@other.org", "example.org"),
        ("git+ssh://git@example.org/repo", "example.org"),
        ("ftp://[2001:DB8::1]:21/", "[2001:db8::1]"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://under_score.example.org/", "under_score.example.org"),
        ("https://Bücher.example/", "bücher.example"),
        ("https://XN--BCHER-kva.example/", "xn--bcher-kva.example"),
        ("https://example.org./", "example.org."),
        ("example.org/a", None),
        ("//example.org/a", None),
        ("mailto:me@example.org", None),
        ("file:///etc/hosts", None),
        ("http://", None),
        ("http:///a", None),
        ("http://:80/", None),
        ("http://example.org:http/", None),
        ("http://exam ple.org/", None),
        (" http://example.org", None),
        ("http://example.org ", None),
        ("http://example.org\n", None),
        (r"http://good.org\@evil.org/", None),
        ("http://exam%70le.org/", None),
        ("http://[::1/", None),
        ("", None),
        (None, None),
    ],
)
def test_hosts(url, host):
    """Without user, password and port; null for what is no URL with a host."""
    assert host == one(url_host, url)


@settings(deadline=None)
@given(urls())
def test_hosts_are_those_that_python_finds(url):
    """For whatever Hypothesis calls a URL."""
    assert urlsplit(url).hostname == one(url_host, url)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_url_or_null(text):
    """No text is an error, and no host has a character that none may have."""
    host = one(url_host, text)

    assert host is None or not set(host) & set(" /?#@%<>\\^|\n")
    one(registered_domain, text)
    one(url_path_part, text)


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://shop.example.co.uk/a", "example.co.uk"),
        ("https://example.co.uk", "example.co.uk"),
        ("WWW.Example.Org", "example.org"),
        ("https://a.b.example.org./", "example.org"),
        ("https://me.github.io/", "me.github.io"),
        ("https://www.食狮.公司.cn/", "食狮.公司.cn"),
        ("https://www.xn--85x722f.xn--55qx5d.cn/", "xn--85x722f.xn--55qx5d.cn"),
        ("https://host.unlisted-suffix/", "host.unlisted-suffix"),
        ("https://co.uk/", None),
        ("https://localhost:8080/", None),
        ("http://192.168.0.1/", None),
        ("http://192.168.0.1./", None),
        ("http://0x7f.1/", None),
        ("192.168.0.1", None),
        ("http://[::1]/", None),
        ("https://a..org/", None),
        ("no host", None),
        ("", None),
        (None, None),
    ],
)
def test_registered_domains(url, domain):
    """By the list; null for addresses, for suffixes themselves and for names of one label."""
    assert domain == one(registered_domain, url)


@pytest.mark.parametrize(
    ("url", "index", "part"),
    [
        ("https://a.b/x/y%20z/w?q=/n#/m", 1, "x"),
        ("https://a.b/x/y%20z/w?q=/n#/m", 2, "y%20z"),
        ("https://a.b/x/y%20z/w?q=/n#/m", -1, "w"),
        ("https://a.b/x/y%20z/w?q=/n#/m", -3, "x"),
        ("https://a.b/x/y%20z/w?q=/n#/m", 4, None),
        ("https://a.b/x/y%20z/w?q=/n#/m", -4, None),
        ("https://a.b/x/", -1, None),
        ("https://a.b//y", 1, None),
        ("https://a.b//y", 2, "y"),
        ("https://a.b/", 1, None),
        ("https://a.b", 1, None),
        ("https://a.b?/x", 1, None),
        ("https://a.b/é 😀", 1, "é 😀"),
        ("a.b/x", 1, None),
        (None, 1, None),
    ],
)
def test_parts_of_a_path(url, index, part):
    """Counted from 1 or from the end, as written; null where there is none."""
    assert part == one(url_path_part, url, index=index)


def test_there_is_no_part_0():
    """An error, and not somebody's first part."""
    with pytest.raises(InputError, match="counted from 1"):
        one(url_path_part, "https://a.b/x", index=0)


def test_a_long_url_is_read():
    """A megabyte of path, and of user."""
    assert "x" * 10**6 == one(url_path_part, "https://a.b/" + "x" * 10**6)
    assert "a.b" == one(url_host, "https://" + "@" * 10**6 + "a.b/")
