"""The documentation is true: every command and every block in it is run, every link is followed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import sparkml
from sparkml.config import (
    FeaturesConfig,
    JobConfig,
    TrainConfig,
    TrainManyConfig,
    load_as,
    load_config,
)
from tools.docs import RESULTS, made_anew

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]

NOT_RUN = {
    "make demo": "it would build an environment; tools/demo.py, its program, is run instead",
    "make test": "this is it",
    "make bench": "it takes half an hour",
    "pip install ": "the environment is there, and stays as it is",
    "cluster=$(emr up ": "tests/emr/test_readme.py types them, on a local EMR and a real YARN",
    "emr submit ": "the same",
    "emr logs ": "the same",
    "emr down ": "the same",
    "spark-submit --master yarn ": "no YARN here; test_clusters.py runs on separate executors",
}
"""How a command begins -> why it is not run here."""

RUN_BY_THE_DEMO = "spark-submit jobs/score.py --config conf/score.wine.yaml"
LANGUAGES = {"console", "python", "sql", "text", "yaml"}
JOBS = {
    "score": JobConfig,
    "features": FeaturesConfig,
    "train": TrainConfig,
    "train_many": TrainManyConfig,
}
"""How a file in conf/ begins -> what it configures."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, first line's number, language, text, and the output told for it."""

    page: Path
    line: int
    language: str
    text: str
    output: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page; a `text` block is the output of the block before it."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    last = 0
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        language, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        assert language in LANGUAGES, f"{page.name}:{line}: nothing runs a block of '{language}'"
        if language == "text":
            between = text[last : match.start()].strip()
            assert not between, f"{page.name}:{line}: it follows no block whose output it could be"
            found[-1] = Block(**{**vars(found[-1]), "output": body})
        else:
            found.append(Block(page, line, language, body, None))
        last = match.end()
    return found


BLOCKS = [block for page in PAGES for block in blocks(page)]


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that follows it."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    assert not parts[0], f"{block}: it begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


COMMANDS = [
    pytest.param(command, output, id=f"{block} {command[:30]}")
    for block in BLOCKS
    if block.language == "console"
    for command, output in commands(block)
]


def check_output(told: str, printed: str, where: str) -> None:
    """Compare what the page tells with what was printed; `…` stands for anything."""
    lines = [line.rstrip() for line in told.strip("\n").splitlines()]
    pattern = ""
    for line in lines:
        if line == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("…")) + r"\n"
    clean = "".join(f"{line.rstrip()}\n" for line in printed.strip("\n").splitlines())
    assert re.fullmatch(pattern, clean), f"{where} tells\n{told}\nbut this was printed\n{clean}"


def run(command: list[str], workplace: Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command as in a shell whose environment is the project's."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith("SPARKML__")}
    env = {
        **outside,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "80",
        "PYTHONPATH": str(workplace),
    }
    return subprocess.run(
        command, cwd=workplace, env=env, text=True, check=False, timeout=900, **options
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder that looks like the repository to the demo, which has been run in it; its output."""
    home = tmp_path_factory.mktemp("docs")
    for name in ("conf", "jobs", "tools", "sparkml", "notebooks"):
        (home / name).symlink_to(ROOT / name)
    done = run([sys.executable, "-m", "tools.demo"], home, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home, done.stdout


@pytest.fixture
def fresh_results(workplace):
    """The same folder, its result files as the demo wrote them, whichever command ran before."""
    home, demo = workplace
    kept, shown = home / "results", home / ".demo/results"
    if not kept.exists():
        shutil.copytree(shown, kept)
    shutil.copytree(kept, shown, dirs_exist_ok=True)
    return home, demo


@pytest.mark.spark
@pytest.mark.parametrize(("command", "output"), COMMANDS)
def test_a_command_prints_what_the_page_tells(command, output, request):
    """Each `$` line is run, and what it prints on either stream is compared."""
    if command.startswith(tuple(NOT_RUN)):
        assert not output
        return
    home, demo = request.getfixturevalue("fresh_results")
    if command == RUN_BY_THE_DEMO:
        printed = re.split(r"\n\$ |\ndone in ", demo.partition(f"$ {command}\n")[2])[0]
    else:
        shell = ["bash", "-c", command]
        printed = run(shell, home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    progress = re.compile(r"^\d+ s  .*\n", re.MULTILINE)  # every 30 s, on a slow machine
    check_output(output, progress.sub("", printed), command)


def test_commands_that_are_not_run_exist():
    """Each is somewhere on a page, and what it names is there: target, extra, file."""
    told = {param.values[0] for param in COMMANDS}
    makefile = (ROOT / "Makefile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    not_run = [c for c in told if c.startswith(tuple(NOT_RUN))]
    assert all(any(c.startswith(beginning) for c in not_run) for beginning in NOT_RUN)
    for command in not_run:
        if command.startswith("make "):
            assert re.search(rf"^{command.removeprefix('make ')}:.*## ", makefile, re.MULTILINE)
        elif command.startswith("pip "):
            assert set(re.search(r"\[(.*)\]", command)[1].split(",")) <= set(extras)
        else:
            for file in re.findall(r"(?:jobs|conf)/\S+", command):
                assert (ROOT / file).is_file()


RUNNER = """
    import contextlib, io, json, sys
    names = {"__name__": "__main__"}
    results = []
    for language, text, place in json.load(open(sys.argv[1])):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if language == "sql":
                names["spark"].sql(text).show()
            else:
                exec(compile(text, place, "exec"), names)
        results.append(printed.getvalue())
    if "spark" in names:
        names["spark"].stop()
    json.dump(results, open(sys.argv[2], "w"))
"""


@pytest.mark.spark
@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if any(b.page == p and b.language == "python" for b in BLOCKS)],
    ids=lambda p: p.name,
)
def test_the_python_and_sql_of_a_page_is_one_program(page, workplace, tmp_path):
    """The blocks run in their order in one process, and print what the page tells."""
    home, _ = workplace
    program = [b for b in BLOCKS if b.page == page and b.language in ("python", "sql")]
    given, results = tmp_path / "program.json", tmp_path / "results.json"
    given.write_text(json.dumps([(b.language, b.text, str(b)) for b in program]))

    script = [sys.executable, "-c", textwrap.dedent(RUNNER), str(given), str(results)]
    done = run(script, home, capture_output=True)

    assert done.returncode == 0, done.stderr
    for block, printed in zip(program, json.loads(results.read_text()), strict=True):
        check_output(block.output or "", printed, str(block))


SAYS = {
    "bank": r"0 rows without a score\n(.*\n)*AUC 0\.[6-9]\d+",
    "explore": r"clients, 17 columns\n(.*\n)*.*\|\s+5\|\s+NULL\|",
    "wine": r"178 wines, 14 columns\n(.*\n)*.*NULL_INPUT(.*\n)*.*NULL_INPUT",
}
"""What a notebook prints, among much else."""


@pytest.mark.spark
@pytest.mark.parametrize("file", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda f: f.stem)
def test_a_notebook_runs_as_a_script(file, workplace):
    """From its first cell to its last, in a folder where the demo was run."""
    home, _ = workplace

    done = run([sys.executable, f"notebooks/{file.name}"], home, capture_output=True)

    assert done.returncode == 0, done.stderr
    assert re.search(SAYS[file.stem], done.stdout), done.stdout


@pytest.mark.parametrize("file", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda f: f.stem)
def test_a_notebook_becomes_an_ipynb(file, tmp_path):
    """Text cells and code cells, as many as the file marks."""
    made = tmp_path / f"{file.stem}.ipynb"
    jupytext = Path(sys.executable).with_name("jupytext")
    subprocess.run([jupytext, "--quiet", "--to", "ipynb", "-o", made, file], check=True)

    cells = json.loads(made.read_text())["cells"]
    assert {"markdown", "code"} == {cell["cell_type"] for cell in cells}
    assert file.read_text().count("\n# %%") + 1 == len(cells)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=str)
def test_yaml_is_a_valid_configuration(block, tmp_path):
    """A whole job as it stands; some sections of one in the place of the demo's own."""
    written = yaml.safe_load(block.text)
    assert written.keys() <= JobConfig.model_fields.keys(), block
    required = {name for name, field in JobConfig.model_fields.items() if field.is_required()}
    base = {} if required <= written.keys() else demo_config()
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({**base, **written}))

    load_config(tmp_path / "job.yaml", env={})


def demo_config() -> dict:
    """The keys of the wine job."""
    return yaml.safe_load((ROOT / "conf/score.wine.yaml").read_text())


@pytest.mark.parametrize("file", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda f: f.name)
def test_every_configuration_in_conf_loads(file):
    """As the kind of job that its name begins with, without any environment."""
    load_as(JOBS[file.name.split(".", 1)[0]], file, env={})


@pytest.mark.parametrize("page", LINKED, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    """Files are there, and headings too."""
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        other = page.parent / target if target else page
        assert other.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in headings(other), f"{page.name} links to {target}#{anchor}"


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are commonly made."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_is_made_from_the_code_is_as_the_code_says(page):
    """Keys, casts, errors and figures; `python -m tools.docs` mends it."""
    text = page.read_text(encoding="utf-8")
    assert text == made_anew(text), "run: python -m tools.docs"


def test_the_figures_stand_on_the_first_screen():
    """The table of results.json, as soon as there are figures."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = text.partition("\n## ")[0]
    assert "<!-- made: benchmark," in first
    assert RESULTS.exists() != ("Not measured yet" in first)


def test_every_key_has_a_meaning():
    """A key without a docstring would be an empty cell."""
    assert not re.search(r"\|  \|$", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", sparkml.__all__)
def test_the_readme_names_what_is_public(name):
    """Somewhere in code."""
    code = re.findall(
        r"`[^`]+`|^```.*?^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert any(re.search(rf"\b{name}\b", part) for part in code)


def test_the_changelog_has_an_unreleased_section():
    """Where the next change goes."""
    assert re.search(r"^## Unreleased$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("told", "printed", "same"),
    [
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a … z\n", "a b z\n", True),
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "b\n", False),
        ("a … z\n", "a b\nz\n", False),
        ("", "something\n", False),
    ],
)
def test_the_comparison_can_fail(told, printed, same):
    """`…` is anything within a line, alone it is any lines; all else is literal."""
    try:
        check_output(told, printed, "here")
    except AssertionError:
        assert not same
    else:
        assert same
