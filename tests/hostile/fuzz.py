"""Damaged models by the thousand: `python -m tests.hostile.fuzz --format lightgbm --runs 1000`.

Each is read as a user would, and what was accepted scores hostile rows in the sandbox. Defects are
an exception without a code, and a death, a hang or memory beyond measure after acceptance: there it
would be a worker's or the driver's.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.hostile.mutate import mutated
from tests.hostile.opening import (
    FINE,
    STRAY,
    Ended,
    all_outputs,
    opened_first,
    scored_after,
)
from tests.hostile.seeds import SEEDS, TRUSTED, beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def outcome(
    name: str, data: bytes, others: Mapping[str, bytes], outputs: Sequence[str]
) -> tuple[Ended, Ended | None]:
    """How the opening of a model ended, and how the scoring where it was accepted.

    It is opened twice, as a user would who names all its `outputs`, and as one who names none.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "model"
        folder.mkdir()
        for file, content in {**others, name: data}.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(content)
        trust = "always" if name in TRUSTED else "never"
        opening = opened_first(folder, trust=trust)
        if opening.spec is None:
            return opening, None
        wide = opened_first(folder, outputs, trust=trust)
        if wide.how == STRAY:
            return wide, None
        return opening, scored_after(wide.spec or opening.spec)


def in_zip(data: bytes, rng: Random) -> bytes:
    """A zip file whose members one is damaged of, as a text or as bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(["schema.json", *members])
    members[name] = mutated(members[name], rng, "text" if name.endswith("json") else "binary")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue()


def in_protobuf(data: bytes, rng: Random) -> bytes:
    """An ONNX graph whose text form is damaged, and still one."""
    from google.protobuf import text_format
    from onnx import ModelProto

    text = text_format.MessageToString(ModelProto.FromString(data)).encode()
    for _ in range(30):
        try:
            made = mutated(text, rng, "text").decode()
            return bytes(text_format.Parse(made, ModelProto()).SerializeToString())
        except (text_format.ParseError, ValueError):
            pass
    return mutated(data, rng, "binary")


KINDS = {"zip": in_zip, "protobuf": in_protobuf}
"""The kinds of files that are taken apart before they are damaged."""


def fuzz(kind: str, runs: int, seed: int, keep: Path | None) -> int:
    """The number of defects among so many damaged files; each is told, and kept in `keep`."""
    name, how, make = SEEDS[kind]
    models, others = list(make()), beside(name)
    outputs: dict[bytes, list[str]] = {}
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    defects = 0
    for model in models:
        opening, scoring = outcome(name, model, others, ())
        outputs[model] = all_outputs(opening.spec) if opening.spec else []
        told = "" if scoring else opening.told[-300:]
        print("seed:", opening.how, scoring and scoring.how, told)
    for run in range(runs):
        rng = Random(f"{seed} {run}")
        model = rng.choice(models)
        data = KINDS[how](model, rng) if how in KINDS else mutated(model, rng, how)
        opening, scoring = outcome(name, data, others, outputs[model])
        counts[f"opening: {opening.how}" if scoring is None else f"scoring: {scoring.how}"] += 1
        if opening.how != FINE:
            last = " ".join(opening.told.splitlines()[-1:]).partition(" | ")[0]
            reasons[f"{opening.how}: {re.sub(r'[0-9]+', '0', last)[:110]}"] += 1
        last_one = scoring or opening
        if (scoring is not None and scoring.how != FINE) or opening.how == STRAY:
            defects += 1
            print(f"DEFECT run {run}: {last_one.how} {last_one.told[-600:]}", flush=True)
            if keep:
                (keep / f"{kind}-{seed}-{run}").write_bytes(data)
    for word, count in [*sorted(counts.items()), *reasons.most_common(25)]:
        print(f"{count:6}  {word}")
    return defects


def main() -> int:
    """1 where there was a defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=SEEDS, required=True)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the files that were defects")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SPARKML_CACHE"] = cache
        return int(fuzz(given.format, given.runs, given.seed, given.keep) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
