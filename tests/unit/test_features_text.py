"""Features of texts: the normal form, tokens, distances, n-grams and fields of JSON, plainly."""

from __future__ import annotations

import json
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkml.errors import InputError
from sparkml.features.json_fields import json_field
from sparkml.features.similarity import edit_distance, ngram_similarity
from sparkml.features.text import normalise_text, token_count

EVERY_CHARACTER = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# Unicode's property White_Space: https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
WHITE_SPACE = [
    *range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F,
    0x205F, 0x3000,
]  # fmt: skip
TEXTS = st.text(st.sampled_from("ab é😀\u0301ß\n") | st.characters(exclude_categories=["Cs"]))


def one(kernel, *values, **constants):
    """The kernel's answer for a single row of texts."""
    return kernel(*(pa.array([v], pa.string()) for v in values), **constants)[0].as_py()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Straße", "strasse"),
        ("İstanbul", "i̇stanbul"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("ﬁne①", "fine1"),
        ("e\u0301", "é"),
        (" \t a\u00a0\u3000b \n", "a b"),
        ("zero\u200bwidth", "zero\u200bwidth"),
        ("crème brûlée", "crème brûlée"),
        ("", ""),
        ("   ", ""),
        (None, None),
    ],
)
def test_texts_in_their_normal_form(text, normal):
    """Folded, composed, its white space collapsed; accents and invisible characters stay."""
    assert normal == one(normalise_text, text)


def test_an_ascii_batch_is_normalised_as_the_same_texts_among_others_are():
    """The short way for ASCII gives what the long way gives."""
    texts = [" A\tB ", "x\x1fY", "\x7f", None, ""]

    short = normalise_text(pa.array(texts)).to_pylist()
    long = normalise_text(pa.array([*texts, "é"])).to_pylist()

    assert short == long[:-1]
    assert ["a b", "x\x1fy", "\x7f", None, ""] == short


def test_a_normal_form_is_its_own():
    """Normalising twice changes nothing, for every character there is."""
    once = normalise_text(pa.array([f"a{c}b" for c in EVERY_CHARACTER]))

    assert once == normalise_text(once)


@settings(deadline=None)
@given(TEXTS)
def test_case_and_composition_make_no_difference(text):
    """Decomposed or in capitals, a text has the same normal form."""
    normal = one(normalise_text, text)

    assert normal == one(normalise_text, unicodedata.normalize("NFD", text))
    assert normal == one(normalise_text, text.casefold())
    assert normal == one(normalise_text, f"  {normal}\n")


def test_tokens_are_parted_by_unicode_s_white_space_and_nothing_else():
    """Of every character there is, exactly those of the property part a word in two."""
    counts = token_count(pa.array([f"a{c}b" for c in EVERY_CHARACTER])).to_pylist()

    assert WHITE_SPACE == [ord(c) for c, n in zip(EVERY_CHARACTER, counts, strict=True) if n == 2]
    assert {1, 2} == set(counts)


@settings(deadline=None)
@given(TEXTS)
def test_tokens_are_counted_as_python_splits(text):
    """But for the four separators that Python alone calls white space."""
    text = text.translate(dict.fromkeys(range(0x1C, 0x20)))

    assert len(text.split()) == one(token_count, text)


def by_the_book(a: str, b: str) -> int:
    """Wagner and Fischer's table, cell by cell."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_the_edit_distance_is_that_of_the_table(a, b):
    """Row by row in NumPy as cell by cell in Python; symmetric, and zero for equals only."""
    assert by_the_book(a, b) == one(edit_distance, a, b)
    assert one(edit_distance, a, b) == one(edit_distance, b, a)
    assert (a == b) == (one(edit_distance, a, b) == 0)


def test_long_texts_have_a_distance():
    """Thousands of characters are no trouble."""
    assert 5_000 == one(edit_distance, "ab" * 2_500, "cd" * 2_500)
    assert 1 == one(edit_distance, "x" * 5_000, "x" * 4_999)


def test_n_grams_of_code_points():
    """Jaccard's index by hand; an emoji is one character; short texts are their own gram."""
    assert 1 / 3 == one(ngram_similarity, "ab😀", "b😀c", n=2)
    assert 2 / 4 == one(ngram_similarity, "abcd", "xbcd", n=2)
    assert 1.0 == one(ngram_similarity, "aaaa", "aaaaaaaa", n=2)
    assert [1.0, 0.0, 0.0] == [
        one(ngram_similarity, a, b) for a, b in [("", ""), ("", "a"), ("a", "abc")]
    ]
    assert one(ngram_similarity, None, "a") is None
    with pytest.raises(InputError, match="n-grams of 0"):
        one(ngram_similarity, "a", "b", n=0)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 5))
def test_a_similarity_is_a_share(a, b, n):
    """Between 0 and 1, symmetric, and 1 for equal texts."""
    share = one(ngram_similarity, a, b, n=n)

    assert 0 <= share <= 1
    assert share == one(ngram_similarity, b, a, n=n)
    assert 1.0 == one(ngram_similarity, a, a, n=n)


@pytest.mark.parametrize(
    ("text", "path", "field"),
    [
        ('{"a": {"b": [1, 2]}}', "$.a.b[1]", "2"),
        ('{"a": {"b": [1, 2]}}', "$", '{"a":{"b":[1,2]}}'),
        ('{"a": "x"}', "$.a", "x"),
        ('{"a": ""}', "$.a", ""),
        ('{"a": true}', "$.a", "true"),
        ('{"a": 12345678901234567890123}', "$.a", "12345678901234567890123"),
        ('{"a": 1.10}', "$.a", "1.1"),
        ('{"a": 1e9}', "$.a", "1.0E9"),
        ('{"a": 123e-7}', "$.a", "1.23E-5"),
        ('{"a": -0.0}', "$.a", "-0.0"),
        ('{"a": "\\u00e9\\n"}', "$.a", "é\n"),
        ("[[1], [2, 3]]", "$[1][0]", "2"),
        ('{"a": [1]}', "$.a[1]", None),
        ('{"a": [{"b": 1}]}', "$.a.b", None),
        ('{"a": null}', "$.a", None),
        ("null", "$", None),
        ("{'a': 1}", "$.a", None),
        ('{"a": 1} x', "$.a", None),
        ('{"a": 1', "$.a", None),
        ('{"a": 1, "a": 2}', "$.a", None),
        ('{"a": NaN}', "$.a", None),
        ('{"a": 01}', "$.a", None),
        ('{"a": "\\ud83d"}', "$.a", None),
        ("", "$", None),
        (None, "$", None),
        ("[" * 100_000, "$", None),
        ("9" * 5_000, "$", None),
    ],
)
def test_a_field_of_json(text, path, field):
    """Scalars as text, the rest as JSON; null for what is not there, not JSON or not one text."""
    assert field == one(json_field, text, path=path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(deadline=None)
@given(JSON, st.sampled_from([None, 1]))
def test_a_whole_document_keeps_its_meaning(value, indent):
    """Read back, it is the same, however it was written."""
    found = one(json_field, json.dumps({"value": value}, indent=indent), path="$")

    assert {"value": value} == json.loads(found)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_last_bit(number):
    """What is written of a double reads back as that double."""
    assert number == float(one(json_field, json.dumps([number]), path="$[0]"))


@pytest.mark.parametrize("path", ["", "a", "$.", "$..a", "$.*", "$[*]", "$['a']", "$[-1]", "$.a\n"])
def test_other_json_paths_are_refused(path):
    """An error, and not a null that looks like a missing field."""
    with pytest.raises(InputError, match=r"written like \$\.a\.b\[0\]"):
        one(json_field, "{}", path=path)
