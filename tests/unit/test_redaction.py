"""One safe line: what an error, a summary or a log record tells, no terminal obeys."""

import json
import logging
import os
import pickle
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.errors import ClusterFailed
from sparkml.errors import LONGEST, ConfigError, ModelNotFound, SinkSchemaError, SparkMLError
from sparkml.redaction import as_json, masked, one_line, printable, safe_line, secrets_in
from sparkml.terminal import Terminal, print_summary, quiet_children

ROOT = Path(__file__).parents[2]
EVIL = (
    "a\x00b\x07c\x1b[31md\x1b]0;title\x07e\x7ff\x9bg"
    "\u202eh\u2066i\u200fj\ufeffk\udc80l\u2028m\nn\ro\u200bp\xadq\U000e0041r"
)


def tame(text):
    return all(c.isprintable() for c in text)


def everything(error):
    return [str(error), error.line(), repr(error), *map(str, error.to_json().values())]


@pytest.mark.parametrize("kind", [SparkMLError, ConfigError, SinkSchemaError, ClusterFailed])
def test_an_error_is_one_line_that_no_terminal_obeys(kind):
    error = kind(f"no {EVIL}", where=f"/tmp/{EVIL}.yaml", fix=f"name {EVIL}")
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert all(tame(said) for said in everything(one))
    assert r"\x07" in str(error)
    assert r"\x1b[31m" in str(error)
    assert r"\u202e" in str(error)
    assert r"\udc80" in str(error)


def test_the_problems_of_a_configuration_are_such_lines_too():
    error = ConfigError("2 problems", problems=(EVIL, "x" * 5_000))
    assert all(tame(problem) and len(problem) <= LONGEST for problem in error.problems)


@pytest.mark.parametrize("what", ["w" * 5_000, "w"])
@pytest.mark.parametrize("where", ["/" + "f" * 5_000, "f", ""])
@pytest.mark.parametrize("fix", ["do this and that", "x" * 500, "x" * 5_000, ""])
def test_a_line_is_at_most_a_thousand_characters_and_keeps_code_and_fix(what, where, fix):
    error = ModelNotFound(what, where=where, fix=fix)
    line = error.line()
    assert len(line) <= LONGEST
    assert line.startswith("ERROR MODEL_NOT_FOUND: w")
    assert (" | /f" in line) == where.startswith("/")
    if fix:
        assert line.endswith(f" | fix: {fix}" if len(fix) <= 600 else "…")
    parts = [str(v) for v in error.to_json().values()]
    assert sum(map(len, parts)) <= LONGEST
    if len(what) + len(where) + len(fix) < 900:
        assert (what, where, fix) == (error.what, error.where, error.fix)
        assert all(part in line for part in (what, where, fix))


@given(st.text(alphabet=st.characters(), max_size=60), st.text(max_size=30))
def test_no_text_at_all_breaks_the_line(what, where):
    error = SparkMLError(what, where=where, fix=what)
    assert tame(error.line())
    assert len(error.line()) <= LONGEST
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert tame(as_json({what: where}).replace("\n", ""))
    assert {what: where} == json.loads(as_json({what: where}))
    assert one_line(one_line(what)) == one_line(what)
    assert masked(masked(what)) == masked(what)


def test_lines_of_others_keep_their_lines_and_lose_what_a_terminal_obeys():
    assert "a\nb\tc\ufffdd" == printable("a\r\nb\tc\x07\x1b[1md")


EXIT = """
import sys
from sparkml.last_line import last_line
with last_line(debug=len(sys.argv) > 1):
    raise ValueError("bad \\x1b[31m\\u202e\\udc80 password=hunter2 " + "x" * 5000 + "\\nmore")
"""


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_what_nobody_expected_ends_in_such_a_line_too(debug):
    done = subprocess.run(
        [sys.executable, "-c", EXIT, *debug], capture_output=True, text=True, cwd=ROOT, check=False
    )
    *above, last = done.stderr.splitlines()
    assert bool(debug) == any("Traceback" in line for line in above)
    assert last.startswith(r"ERROR INTERNAL: ValueError: bad \x1b[31m\u202e\udc80 password=***")
    assert last.endswith("--debug to see the traceback")
    assert len(last) <= LONGEST
    assert "hunter2" not in done.stderr
    assert tame(done.stderr.replace("\n", ""))


def test_a_summary_and_its_rows_are_lines_too(capsys):
    print_summary([("table", f"/x/{EVIL}")], [{f"col{EVIL}": EVIL, "b": {EVIL: [EVIL, 1.5]}}])
    told = capsys.readouterr().out
    assert 4 == len(told.splitlines())  # the table, nothing, the names, the row
    assert tame(told.replace("\n", ""))


def test_a_stage_is_a_line_too(capsys, monkeypatch):
    clock = iter(range(0, 1000, 100))
    Terminal(clock=lambda: next(clock)).stage(f"reading {EVIL} https://me:hunter2@host")
    told = capsys.readouterr().err
    assert tame(told.rstrip("\n"))
    assert "hunter2" not in told


def test_log_records_and_warnings_are_masked_and_tame(tmp_path):
    log = tmp_path / "log"
    with quiet_children(log):
        logging.getLogger("x").warning("a %s", f"{EVIL} password=hunter2")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"b {EVIL} https://me:hunter2@host", stacklevel=1)
    told = log.read_text(encoding="utf-8")
    assert tame(told.replace("\n", "").replace("\t", ""))
    assert "hunter2@host" not in told
    assert "password=***" in told


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a_",
        "://a:",
        "://",
        "sk-",
        "{",
        "${",
        "\n ",
        "A1b",
        "eyJaaaaaaaa.",
        "a=",
        "<a>",
        'a":\n',
        "a=\xa0",
    ],
)
def test_no_text_takes_long(part):
    """A text of a hostile model, table or answer costs no more than its length."""
    began = time.process_time()
    SparkMLError(part * 50_000).line()
    safe_line(part * 2_000)
    list(secrets_in({"args": [part * 2_000]}))
    assert time.process_time() - began < 2


def test_nothing_heavy_is_imported_for_an_ordinary_error():
    code = (
        "import sys; from sparkml.errors import ConfigError\n"
        "ConfigError('no file /tmp/a-1/b.yaml').line()\n"
        "print('requests' in sys.modules, 'yaml' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ},
        check=True,
    )
    assert "False False" == done.stdout.strip()


def test_a_missing_library_masks_more_and_breaks_nothing():
    """A worker without detect-secrets: what may be a token counts as one."""
    code = (
        "import sys; sys.modules['detect_secrets'] = None\n"
        "from sparkml.redaction import masked; print(masked('x ghp_' + 'a1B2' * 9 + ' y'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "x *** y" == done.stdout.strip()
