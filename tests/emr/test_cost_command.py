"""`emr cost` on the command line: what it takes, what it refuses, and a published analysis."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emr.cli import make_app
from emr.cost.doors import INPUTS as OF_DOORS
from emr.cost.run import INPUTS as OF_RUN
from emr.cost.service import INPUTS as OF_SERVICE
from tests.emr.round_prices import PRICES

SMALL = "conf/clusters/cpu-small.yaml"
RUN = ("--rows", "1000000", "--rows-per-s", "40000")
SERVICE = ("--requests-per-s", "120", "--seconds-per-request", "0.05")


def priced(*options, spec=SMALL):
    """`emr cost`: its outcome."""
    given = ["cost", "--spec", str(spec), "--allow-stale-prices", *map(str, options)]
    return CliRunner().invoke(make_app(), given)


def told(*options, spec=SMALL):
    """What it says, as values."""
    outcome = priced(*options, "--json", spec=spec)
    assert 0 == outcome.exit_code, outcome.stderr
    return json.loads(outcome.stdout)


def inputs(told, of=0):
    """A run's inputs: name → (value, label, source)."""
    listed = told["runs"][of]["inputs"]
    return {one["name"]: (one["value"], one["label"], one["source"]) for one in listed}


def test_other_types_are_compared_by_their_speed():
    """Cheapest first; each speed says for itself where it was measured."""
    types = ("--what-if", "m5.xlarge=1000", "--what-if", "m5.2xlarge=4_000@our runs")
    said = told(*types)["what_if"]
    assert ["m5.2xlarge", "m5.xlarge"] == [each["instance_type"] for each in said]
    assert [("measured", "our runs"), ("assumed", "given by the caller")] == [
        (each["label"], each["source"]) for each in said
    ]
    assert "a million rows more" in priced(*types).stdout


def test_the_same_node_and_speed_cost_the_same_in_both_tables():
    """A million rows more is one number, whichever table tells it."""
    said = told(*RUN, "--what-if", "m7g.xlarge=40000")
    (run,), (other,) = said["runs"], said["what_if"]
    assert run["marginal_usd_per_million"] == pytest.approx(other["usd_per_million"])


@pytest.mark.parametrize("text", ["m5.xlarge", "=3", "m5.xlarge=0", "m5.xlarge=fast", "m5.xlarge="])
def test_a_type_without_its_speed_is_refused(text):
    """With how it is written."""
    refused = priced("--what-if", text)
    assert 2 == refused.exit_code
    assert "ERROR CONFIG_INVALID" in refused.stderr


def test_each_number_keeps_its_own_label():
    """One that was measured does not vouch for the others."""
    known = ("--given", "provisioning_s=240@our cluster", "--given", "idle_s=5")
    found = inputs(told("--rows", 1_000_000, "--rows-per-s", "40000@bench", *known))
    assert (40_000, "measured", "bench") == found["speed"]
    assert (240, "measured", "our cluster") == found["provisioning"]
    assert (5, "assumed", "given by the caller") == found["idle tail"]
    assert "assumed" == found["start of Spark"][1]


def test_what_is_known_of_the_other_cluster_alone_is_its_own():
    """`--given` holds for both, `--against-given` for the other."""
    other = ("--against", "conf/clusters/gpu-python.yaml", "--against-rows-per-s", "400000")
    known = ("--given", "idle_s=5", "--against-given", "bootstrap_s=200@quoted:a page")
    said = told(*RUN, *other, *known)
    assert [5, 5] == [inputs(said, of)["idle tail"][0] for of in (0, 1)]
    assert 0 == inputs(said)["bootstrap"][0]
    assert (200, "quoted", "a page") == inputs(said, 1)["bootstrap"]


def test_our_benchmarks_speed_is_read_from_its_file():
    """With its repetitions, taken for a node unless it says that they are of one."""
    results = ("--results", "benchmarks/results.json")
    said = told(*results, "--what-if", "m5.xlarge=GBT:sparkml, into Delta")["what_if"][0]
    assert ("assumed", 3) == (said["label"], said["repetitions"])
    assert said["lowest_usd_per_million"] < said["usd_per_million"]
    rate = ("--rows-per-s", "GBT:sparkml, into Delta@such a node")
    assert "measured" == inputs(told(*results, "--rows", 1_000, *rate))["speed"][1]


def test_a_service_is_told_by_the_month():
    """120 requests of 50 ms are six under way; at 60 % of four slots that is three machines."""
    month = told(*SERVICE, "--given", "concurrency=4")["always_on"]
    assert (3, 0.5) == (month["machines"], pytest.approx(month["busy"]))
    one = month["inputs"][-1]["value"]
    assert 3 * 730 * one == pytest.approx(month["usd_per_month"])
    known = ("--given", "machine_usd_per_hour=0.5@quoted:a page", "--given", "minimum_machines=9")
    assert 9 * 730 * 0.5 == pytest.approx(told(*SERVICE, *known)["always_on"]["usd_per_month"])
    assert "always on: USD" in priced(*SERVICE).stdout


def test_spot_is_taken_as_the_share_that_is_given():
    """Of On-Demand; AWS's own prices need none."""
    spot = ("--cluster-set", "core.on_demand=0", "--cluster-set", "core.spot=2")
    both = (told(*spot, "--spot-share", "0.25"), told(*spot))
    rows = [one["clusters"][0]["rows"] for one in both]
    of = [r["usd_per_hour"] for listed in rows for r in listed if r["item"] == "EC2 Spot"]
    assert of[0] == pytest.approx(0.25 * of[1])
    assert "leave --spot-share out" in priced("--live", "--spot-share", "0.25").stderr
    assert "leave --allow-stale-prices out" in priced("--live").stderr


def test_the_help_names_all_that_may_be_given():
    """They are the inputs that tables show as assumed."""
    said = CliRunner().invoke(make_app(), ["cost", "--help"]).stdout
    assert [] == [key for key in (*OF_RUN, *OF_SERVICE, *OF_DOORS) if key not in said]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rows-per-s", "3"), "--rows-per-s alone changes nothing"),
        (("--against-rows-per-s", "3"), "--against-rows-per-s alone changes nothing"),
        (("--against-given", "idle_s=3", *RUN), "--against-given alone changes nothing"),
        (SERVICE[:2], "--requests-per-s alone changes nothing"),
        (SERVICE[2:], "give --requests-per-s"),
        (("--gb-hours", "3"), "give --vcpu-hours"),
        (("--results", "benchmarks/results.json", *RUN), "or give a rate MODEL:CONTENDER"),
        (("--profile", "mine"), "give --live"),
        (("--given", "idle_s=3"), "idle_s alone changes nothing"),
        (("--given", "concurrency=3", *RUN), "concurrency alone changes nothing"),
        (("--given", "storage_gb_hours=3", *RUN), "storage_gb_hours alone changes nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_an_option_that_would_change_nothing_is_refused(options, said):
    """As `submit` refuses it, rather than dropped."""
    refused = priced(*options)
    assert 2 == refused.exit_code
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--given", "idl_s=3", *RUN), "did you mean 'idle_s'? known: efficiency, "),
        (("--given", "zzz", *RUN), "| fix: known: efficiency, "),
        (("--given", "idle_s=soon", *RUN), "'soon' is no number"),
        (("--rows", "1", "--rows-per-s", "3@"), "lacks its value or its source"),
        (("--rows", "1", "--rows-per-s", "nan"), "speed is nan"),
        (("--cluster-set", "core.on_demand=500"), "limits.nodes"),
        (("--cluster-set", "primary.on_demand=2"), "primary"),
        (("--cluster-set", "core.on_demandd=2"), "| --cluster-set |"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[1],
)
def test_what_cannot_be_is_refused(options, said):
    """A number, a name, and a spec that `up` would refuse."""
    refused = priced(*options)
    assert 2 == refused.exit_code
    assert said in refused.stderr


def test_the_spec_to_compare_with_is_checked_as_well(tmp_path):
    """It was made from the shipped one, and is too large."""
    file = tmp_path / "large.yaml"
    text = Path(SMALL).read_text(encoding="utf-8")
    file.write_text(text.replace("limits: {nodes: 5}", "limits: {nodes: 1}"))
    refused = priced(*RUN, "--against", file, "--against-rows-per-s", "1")
    assert 2 == refused.exit_code
    assert "limits.nodes" in refused.stderr


def test_two_specs_of_one_name_are_told_apart_by_their_files(tmp_path):
    """`sparkml-small is cheaper` would tell nobody which."""
    (tmp_path / "other.yaml").write_text(Path(SMALL).read_text(encoding="utf-8"))
    slower = ("--against-rows-per-s", "20000")
    said = told(*RUN, "--against", tmp_path / "other.yaml", *slower)
    assert ["cpu-small", "other"] == [cluster["name"] for cluster in said["clusters"]]
    assert said["break_even"]["text"].startswith("cpu-small is cheaper")
    same = told(*RUN, "--against", SMALL, *slower)["clusters"]
    assert ["cpu-small", "cpu-small (--against)"] == [cluster["name"] for cluster in same]


def test_awss_own_comparison_of_its_doors_is_recomputed(tmp_path, monkeypatch):
    """EMR on EC2 98.28, on EKS 98.43, Serverless 118.62 USD; it leaves EBS out, and rounds.

    Source: github.com/aws/aws-emr-best-practices, cost optimizations, "Lets look at an example":
    25 r5.4xlarge (16 vCPU, 128 GB) for 3 hours in us-west-2, and one primary on EMR on EC2.
    """
    prices = tmp_path / "conf" / "prices"
    prices.mkdir(parents=True)
    (prices / "us-west-2.yaml").write_text(PRICES)
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "example.yaml"
    spec.write_text(
        "{name: example, region: us-west-2, artifacts: s3://bucket/x,"
        " primary: {types: r5.4xlarge, on_demand: 1}, core: {types: r5.4xlarge, on_demand: 25}}"
    )
    used = ("--vcpu-hours", f"{25 * 3 * 16}", "--gb-hours", f"{25 * 3 * 128}@the guide")
    said = told(*used, spec=spec)
    rows = said["clusters"][0]["rows"]
    on_ec2 = 3 * sum(row["usd_per_hour"] for row in rows if not row["item"].startswith("EBS"))
    serverless, eks = said["doors"]
    assert 98.28 == round(on_ec2, 2)
    assert 118.62 == round(serverless["usd"], 2)
    assert 98.43 == pytest.approx(25 * 3 * 1.008 + eks["usd"], abs=0.02)
    assert ["assumed", "quoted", "measured", "quoted"] == [
        given["label"] for given in serverless["inputs"]
    ]
    assert "EMR Serverless: USD 118.62" in priced(*used, spec=spec).stdout
    disks = told(*used, "--given", "storage_gb_hours=10000", spec=spec)["doors"]
    assert [serverless["usd"] + 1, eks["usd"]] == pytest.approx([disk["usd"] for disk in disks])
    assert "arm-vcpu" in priced(*used, "--cluster-set", "core.types=m7g.xlarge", spec=spec).stderr
