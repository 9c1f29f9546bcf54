"""Texts, URLs and JSON as nobody expects them: Spark's own expressions give what the kernels do."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F  # noqa: N812

from sparkml.features import FEATURES
from sparkml.spark._versions import spark_version

pytestmark = pytest.mark.spark

FEATURE = {feature.name: feature for feature in FEATURES}
ROWS = 3_000


def both(spark, name, *columns, **constants):
    """A native feature's answers by Spark and by its kernel; the constants are literal columns."""
    feature = FEATURE[name]
    table = pa.table(dict(zip(feature.columns, map(pa.array, columns), strict=True)))
    df = spark.createDataFrame(table)
    for constant, default in feature.constants.items():
        df = df.withColumn(constant, F.lit(constants.get(constant, default)))
    by_spark = [row[0] for row in df.selectExpr(feature.sql).collect()]
    return by_spark, feature.kernel(*table.columns, **constants).to_pylist()


def strung(seed: int, pieces: list[str], most: int) -> list[str | None]:
    """Texts of pieces drawn at random, among them an empty one and a null."""
    rng = random.Random(seed)
    drawn = ["".join(rng.choices(pieces, k=rng.randrange(most))) for _ in range(ROWS)]
    return [None, "", *drawn]


LETTERS = [*"ab cA", "😀", "é", "e\u0301", "ß", "İ", "\x00", "\n", "'", "\\", "\u200b"]


def test_tokens_of_every_character(spark):
    """White space is the same in Java's regular expressions and in Arrow's."""
    texts = [f"a{chr(c)}b" for c in range(0x3100)] + ["a😀b", None, "", " "]

    by_spark, plain = both(spark, "token_count", texts)

    assert plain == by_spark


def test_distances(spark):
    """Code points, not bytes and not UTF-16 units, are what Spark counts."""
    a, b = strung(1, LETTERS, 12), strung(2, LETTERS, 12)[::-1]

    by_spark, plain = both(spark, "edit_distance", a, b)

    assert plain == by_spark
    assert len(set(plain)) > 5


@pytest.mark.parametrize("n", [1, 2, 3])
def test_similarities(spark, n):
    """To the last bit, short and empty texts included."""
    a, b = strung(3, LETTERS, 9), strung(4, LETTERS, 9)[::-1]

    by_spark, plain = both(spark, "ngram_similarity", a, b, n=n)

    assert plain == by_spark
    assert len(set(plain)) > 5


def test_the_similarity_of_long_texts_takes_no_time_to_speak_of(spark):
    """It grows with the length, not with its square."""
    long = ["lorem ipsum dolor 😀 sit amet " * 2_000] * 4

    by_spark, plain = both(spark, "ngram_similarity", long, [t[7:] for t in long])

    assert plain == by_spark


URL_PIECES = [
    "http", "HTTPS", "1x", "a+b", ":", "/", "//", "://", "@", "[::1]", "[", "]", ":80", "x:y@",
    "WWW.Example.COM", "bücher.de", "1.2.3.4", "?", "#", "%20", " ", "\\", "\n", "a", "/c/", "😀",
]  # fmt: skip
URLS = [
    f"{start}{rest or ''}"
    for start, rest in zip(
        ["https://a.b", "http://u:p@", "ftp://x:1/", ""] * ROWS,
        strung(5, URL_PIECES, 7),
        strict=False,
    )
]


def test_hosts(spark):
    """One regular expression in two engines."""
    by_spark, plain = both(spark, "url_host", [*URLS, None])

    assert plain == by_spark
    assert len(set(plain)) > 50


@pytest.mark.parametrize("index", [1, 2, -1, -2, 9])
def test_path_parts(spark, index):
    """From the start and from the end, also beyond them."""
    by_spark, plain = both(spark, "url_path_part", [*URLS, None], index=index)

    assert plain == by_spark


def document(rng: random.Random, depth: int):
    """A JSON value at random."""
    if depth == 0 or rng.random() < 0.4:
        number = round(rng.uniform(-1, 1), 6) * 10.0 ** rng.randrange(-12, 12)
        odd = ["null", 'é"\\\n\x01\x1f\x7f/', "😀", "\u2028", ""]
        return rng.choice([1, -5, 10**25, True, None, number, -0.0, rng.choice(odd)])
    values = [document(rng, depth - 1) for _ in range(rng.randrange(3))]
    return rng.choice([values, dict(zip("abc", values, strict=False))])


def documents():
    """JSON at random, a third of it damaged, and what has been seen to go wrong."""
    rng = random.Random(6)
    bits = [
        *"{}[]\",:'\n\x00\x0b",
        '"a"',
        "1",
        "-0",
        "true",
        "NaN",
        "01",
        "1E400",
        '"\\ud83d"',
        "//",
    ]
    texts = []
    for _ in range(ROWS):
        text = json.dumps(document(rng, 4), ensure_ascii=rng.random() < 0.5)
        if rng.random() < 0.3:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(bits) + text[at + rng.randrange(3) :]
        texts.append(text)
    odd = [
        "1,2", "1]", "[1],[2", '{"a":1} x', '{"a":1}}', "{'a':1}", '{"a":1,"a":2}', "true]", " 1 ",
        "9" * 1000, "9" * 1001, "[" * 3000,
        '{"a":' * 99 + "1" + "}" * 99, '"\x1f"', "1\x00",
        '{"": {"a": 1}}', '["' + "x" * 10**6 + '"]',
    ]  # fmt: skip
    return [*texts, *strung(7, bits, 9), *odd]


@pytest.mark.parametrize("path", ["$", "$.a", "$.a.b", "$[0]", "$[1][0]", "$.a[0].b"])
def test_fields_of_json(spark, path):
    """Valid or not, the same text or null; also where `get_json_object` alone is lenient."""
    by_spark, plain = both(spark, "json_field", documents(), path=path)

    assert plain == by_spark
    assert any(plain)


def test_half_a_surrogate_pair_in_json(spark):
    """Kept as it is written, until Spark 4.2 took it for bad."""
    halves = ['["\\ude00\\ud83d x"]', '{"\\ud83d":1}', '["\\ud83d"]']

    by_spark, plain = both(spark, "json_field", halves, path="$")

    kept = ['["\\uDE00\\uD83D x"]', '{"\\uD83D":1}', '["\\uD83D"]']
    assert kept == plain
    assert by_spark == (kept if spark_version() < (4, 2) else [None] * 3)


NUMBERS = [
    "{k}", "-{k}", "0.{k}", "-0.{k}", "1.{k}", "12.{k}", "{k}.55", "1e{k}", "1E-{k}", "1e+{k}",
    "0e{k}", "0.0e{k}", "{k}e5", "{k}.5e5", "0.{k}e5", "-0.{k}E-5",
]  # fmt: skip


@pytest.mark.parametrize("path", ["$", "$.a", "$.b"])
def test_numbers_of_any_length_in_json(spark, path):
    """1,000 digits are read, wherever they stand; more make the document bad, also beside them."""
    numbers = [n.format(k="3" * k) for n in NUMBERS for k in (*range(996, 1004), 5_000, 10**5)]
    numbers += ["1e999999", "-1e999999", "1e-999999", "1.5e2147483648", "0e99999999999", "1E400"]

    by_spark, plain = both(
        spark, "json_field", [*numbers, *(f'{{"a":{n},"b":1}}' for n in numbers)], path=path
    )

    assert plain == by_spark
    assert {None} < set(plain)


@pytest.mark.parametrize(
    ("name", "columns", "constants", "said"),
    [
        ("ngram_similarity", (["a"], ["b"]), {"n": 0}, "n must be at least 1"),
        ("url_path_part", (["http://a/b"],), {"index": 0}, "index 0 is invalid"),
        ("json_field", (["{}"],), {"path": "$.*"}, "a path is written like"),
    ],
)
def test_a_constant_that_makes_no_sense_is_an_error(spark, name, columns, constants, said):
    """In SQL as in the kernel, not a null and not a number."""
    with pytest.raises(PySparkException, match=said):
        both(spark, name, *columns, **constants)
