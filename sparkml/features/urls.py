"""Features of URLs: the host, the registered domain, the parts of the path."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import InputError
from sparkml.models.extras import need

# What may not stand in a host: the URL Standard's forbidden domain code points. One expression for
# RE2 and for Java, so that Spark and the kernels cannot differ; Java names its groups otherwise.
_HOST = r"(?P<host>[^\x00-\x20#%/:<>?@\[\\\]^|\x7f]+|\[[0-9A-Fa-f:.]+\])"
_AUTHORITY = r"\A[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/?#\\]*@)?" + _HOST + r"(?::[0-9]*)?"
_URL = _AUTHORITY + r"(?:[/?#]|\z)"
_PATH = _AUTHORITY.replace("?P<host>", "?:") + r"/(?P<path>[^?#]*)"
_BARE = r"\A" + _HOST + r"\z"
_IP = r"\A\[|(?:\A|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\z"

_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"


def _extracted(pattern: str) -> str:
    java = pattern.replace("?P<host>", "").replace("?P<path>", "")
    return f"regexp_extract(url, r'{java}', 1)"


URL_HOST = f"nullif(translate({_extracted(_URL)}, '{_UPPER}', '{_LOWER}'), '')"
URL_PATH_PART = f"nullif(split_part({_extracted(_PATH)}, '/', index), '')"


def url_host(url: pa.Array) -> pa.Array:
    """The host of an absolute URL, its ASCII letters in lower case.

    Of `scheme://user:password@host:port/path?query#fragment` (RFC 3986, 3.2.2): without user,
    password and port; an IPv6 address keeps its brackets; an internationalised name stays as it is
    written, in Unicode or as `xn--…`. Null for a null, and for a bad URL: without a scheme or a
    host, with blanks around it, with a host that holds blanks, `%` or other characters that the URL
    Standard forbids there, or with a port that is no number.

    >>> urls = ["https://me:pw@WWW.Example.org:8443/a?b", "ftp://[::1]/", "www.example.org", None]
    >>> url_host(pa.array(urls)).to_pylist()
    ['www.example.org', '[::1]', None, None]
    """
    return pc.ascii_lower(pc.struct_field(pc.extract_regex(url, _URL), "host"))


def url_path_part(url: pa.Array, *, index: int = 1) -> pa.Array:
    """One part of a URL's path, counted from 1, or from the end by -1, -2, ….

    The path (RFC 3986, 3.3) lies between the host's `/` and `?`, `#` or the end; its parts lie
    between its slashes, as they are written: `%20` stays `%20`. A part that is empty (of `//`, or
    after a slash at the end) is counted and null. Null for a null, for a part that is not there,
    and for a bad URL (see `url_host`).

    Raises:
        InputError: `index` is 0. (In SQL: an error when the query runs.)

    >>> urls = pa.array(["https://example.org/shop/caps/?q=1", "https://example.org", None])
    >>> url_path_part(urls, index=2).to_pylist(), url_path_part(urls, index=-1).to_pylist()
    (['caps', None, None], [None, None, None])
    """
    if index == 0:
        raise InputError("parts are counted from 1", where="url_path_part", fix="index => 1")
    paths = pc.struct_field(pc.extract_regex(url, _PATH), "path").to_pylist()
    return pa.array([None if p is None else _part(p.split("/"), index) for p in paths], pa.string())


def _part(parts: list[str], index: int) -> str | None:
    at = index - 1 if index > 0 else len(parts) + index
    return parts[at] or None if 0 <= at < len(parts) else None


def registered_domain(url: pa.Array) -> pa.Array:
    """The domain that somebody registered: the public suffix and one label before it.

    `shop.example.co.uk` gives `example.co.uk`, by Mozilla's Public Suffix List (publicsuffix.org,
    its private section too: `me.github.io` is a domain of its own; a suffix that is not listed
    counts as one label), in the copy that comes with the package `publicsuffixlist`: nothing is
    fetched. Takes a URL, or a host by itself; a dot at the end is dropped, an internationalised
    name stays as it is written. Null for a null, a bad URL, an IP address, a public suffix itself,
    and a name of one label (`localhost`).

    Runs in Python workers, where the list is read once.

    Raises:
        ExtraMissing: publicsuffixlist is not installed.

    >>> urls = ["https://shop.example.co.uk/caps", "Maps.Example.org", "http://10.0.0.1/", None]
    >>> registered_domain(pa.array(urls)).to_pylist()
    ['example.co.uk', 'example.org', None, None]
    """
    bare = pc.ascii_lower(pc.struct_field(pc.extract_regex(url, _BARE), "host"))
    hosts = pc.coalesce(url_host(url), bare)
    names = pc.if_else(pc.match_substring_regex(hosts, _IP), pa.scalar(None, pa.string()), hosts)
    suffixes = _suffixes()
    domains = [
        None if n is None else suffixes.privatesuffix(n.removesuffix("."))
        for n in names.to_pylist()
    ]
    return pa.array(domains, pa.string())


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    return need("publicsuffixlist", extra="urls", why="registered_domain").PublicSuffixList()
