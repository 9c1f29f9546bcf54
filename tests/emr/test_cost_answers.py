"""What costs are asked for: other types, services, published examples, the command, a picture."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emr.cli import make_app
from emr.cost.break_even import Line
from emr.cost.command import Speed, cost_command
from emr.cost.doors import eks_uplift, serverless_cost
from emr.cost.hourly import hourly_cost
from emr.cost.inputs import Given
from emr.cost.plot import plot_costs
from emr.cost.prices import snapshot
from emr.cost.service import Service, always_on
from emr.cost.table import as_text, what_if_table
from emr.cost.what_if import Measured, from_results, what_if
from emr.errors import PricesMissing
from sparkml.errors import ConfigError
from tests.emr.round_prices import SMALL, cluster, round_prices

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results.json"


@pytest.fixture
def prices(tmp_path):
    """Round prices, and those of AWS's own worked example."""
    return round_prices(tmp_path)


class TestWhatIf:
    """Instance types by measured speed."""

    def test_cheapest_first_with_the_spread_of_the_repetitions(self, prices):
        """A small executor's speed counts as often as it stands on a node."""
        small = Measured(
            instance_type="small.xlarge",
            rows_per_s=1_000,
            slowest_rows_per_s=800,
            fastest_rows_per_s=1_250,
            repetitions=3,
            per="executor",
            executors_per_node=4,
            source="ours",
        )
        large = Measured(
            instance_type="large.2xlarge",
            rows_per_s=40_000,
            slowest_rows_per_s=40_000,
            fastest_rows_per_s=40_000,
            repetitions=1,
        )
        first, second = what_if([small, large], prices, region="us-west-2")
        assert ("large.2xlarge", 0.36 / 0.144) == (
            first.measured.instance_type,
            pytest.approx(1_000 * first.usd_per_million),
        )
        million = 0.12 / 3_600 * 1e6 / 4_000
        assert million == pytest.approx(second.usd_per_million)
        assert million / 1.25 == pytest.approx(second.lowest_usd_per_million)
        assert million / 0.8 == pytest.approx(second.highest_usd_per_million)
        assert "small.xlarge" in as_text(what_if_table([first, second]))

    def test_our_benchmark_taken_for_an_instance_type_is_an_assumption(self):
        """It was measured, but on another machine."""
        asked = {"model": "GBT", "contender": "sparkml, into Delta", "as_type": "m5.xlarge"}
        taken = from_results(RESULTS, **asked)
        results = json.loads(RESULTS.read_text())
        seconds = sorted(results["seconds"]["GBT"]["sparkml, into Delta"])
        assert results["rows"] / seconds[len(seconds) // 2] == pytest.approx(taken.rows_per_s)
        assert ("assumed", len(seconds)) == (taken.label, taken.repetitions)
        assert "taken for m5.xlarge" in taken.source
        assert "measured" == from_results(RESULTS, **asked, really=True).label
        with pytest.raises(ConfigError, match="did you mean 'GBT'"):
            from_results(RESULTS, **(asked | {"model": "GBTs"}))


def given(name, value, unit=""):
    """An input as a caller gives it."""
    return Given(name=name, value=value, unit=unit, label="assumed", source="a test")


def service(rate, seconds, *, concurrency=1, utilisation=1.0, minimum=1, usd=1.0):
    """A service's inputs."""
    return Service(
        requests_per_s=given("rate", rate),
        seconds_per_request=given("time", seconds),
        concurrency=given("concurrency", concurrency),
        utilisation=given("utilisation", utilisation),
        minimum_machines=given("minimum", minimum),
        machine_usd_per_hour=given("machine", usd),
    )


class TestAlwaysOn:
    """A service, day and night."""

    def test_machines_and_month_by_hand(self):
        """100/s at 0.25 s are 25 under way; 4 each at 70 % are 9 machines."""
        cost = always_on(service(100, 0.25, concurrency=4, utilisation=0.7, usd=0.192))
        assert (9, 25 / 36) == (cost.machines, pytest.approx(cost.busy))
        assert 9 * 0.192 * 730 == pytest.approx(cost.usd_per_month)
        assert 9 * 0.192 / 3_600 / 100 * 1e6 == pytest.approx(cost.usd_per_million_requests)

    def test_an_exact_fit_needs_no_machine_more_and_a_minimum_holds(self):
        """0.7 of 10 slots are 7, not 7.000000001; and two machines, where one may fail."""
        assert 1 == always_on(service(70, 0.1, concurrency=10, utilisation=0.7)).machines
        assert 2 == always_on(service(0.01, 0.1, minimum=2)).machines
        with pytest.raises(ConfigError, match="utilisation"):
            always_on(service(1, 1, utilisation=1.1))


class TestPublishedExample:
    """AWS's own comparison, recomputed.

    Source: github.com/aws/aws-emr-best-practices, cost optimizations, "Lets look at an example":
    25 r5.4xlarge (16 vCPU, 128 GB) for 3 hours in us-west-2, and one primary on EMR on EC2.
    """

    def test_emr_on_ec2_is_98_28(self, prices):
        """26 nodes: 78.62 for EC2 and 19.66 for EMR; the example leaves EBS out."""
        node = {"types": ["r5.4xlarge"], "on_demand": 1}
        cost = hourly_cost(cluster(node, {**node, "on_demand": 25}), prices)
        assert 78.62 == round(3 * cost.of("EC2"), 2)
        assert 19.66 == round(3 * cost.of("EMR"), 2)
        assert 98.28 == round(3 * (cost.of("EC2") + cost.of("EMR")), 2)

    def test_emr_on_eks_is_98_43_with_its_nodes_and_serverless_118_62(self, prices):
        """1 200 vCPU-hours and 9 600 GB-hours; the guide adds numbers that it has rounded."""
        used = {"region": "us-west-2", "vcpu_hours": 1_200, "gb_hours": 9_600}
        nodes = 25 * 3 * 1.008
        assert 98.43 == pytest.approx(nodes + eks_uplift(prices, **used).usd, abs=0.02)
        serverless = serverless_cost(prices, **used)
        assert 118.62 == round(serverless.usd, 2)
        assert ["assumed", "quoted"] * 2 == [given.label for given in serverless.inputs]
        with pytest.raises(PricesMissing, match="arm-vcpu"):
            serverless_cost(prices, **used, architecture="arm64")


class TestCommand:
    """What `emr cost` says."""

    def test_a_comparison_has_both_runs_and_where_they_break_even(self, prices, tmp_path):
        """As text for a reader, as values for a program, and as a picture."""
        fast = cluster(SMALL, {"types": ["large.2xlarge"], "on_demand": 1})
        answer = cost_command(
            cluster(SMALL, SMALL),
            prices,
            rows=50_000_000,
            speed=Speed(rows_per_s=20_000, label="measured", source="make bench"),
            against=fast,
            against_speed=Speed(rows_per_s=400_000),
            plot=tmp_path / "cost.svg",
            known={"bootstrap_s": 90},
        )
        assert "break-even at" in answer.text
        assert "make bench" in answer.text
        assert 2 == len(answer.json["runs"])
        assert answer.json == json.loads(json.dumps(answer.json))
        assert "break-even" in (tmp_path / "cost.svg").read_text()

    def test_the_hourly_cost_needs_no_speed_and_a_run_does(self, prices):
        """A speed is never made up."""
        spec = cluster(SMALL, SMALL)
        assert "USD 0.26 an hour" in cost_command(spec, prices).text
        with pytest.raises(ConfigError, match=r"needs its speed.*--rows-per-s"):
            cost_command(spec, prices, rows=1_000)
        with pytest.raises(ConfigError, match="needs its speed"):
            cost_command(spec, prices, rows=0)
        with pytest.raises(ConfigError, match="other cluster's speed"):
            cost_command(spec, prices, speed=Speed(rows_per_s=1), against=spec)

    def test_spot_and_bootstrap_actions_are_reckoned_with(self, prices):
        """Their share is assumed, unless it is known."""
        spec = cluster(SMALL, {**SMALL, "spot": 1})
        answer = cost_command(spec, prices, rows=1_000_000, speed=Speed(rows_per_s=1_000))
        inputs = {each["name"]: each["value"] for each in answer.json["runs"][0]["inputs"]}
        assert (0.05, 2) == (inputs["interruption"], inputs["workers"])

    def test_shipped_clusters_have_prices(self):
        """Each of them, or its plan could not tell its cost."""
        for file in sorted((Path(__file__).parents[2] / "conf" / "clusters").glob("*.yaml")):
            answer = cost_command(file, snapshot(allow_stale=True))
            assert answer.json["clusters"][0]["usd_per_hour"] > 0, file.name


def priced(*options):
    """`emr cost` of a shipped spec: its outcome."""
    given = ["cost", "--spec", "conf/clusters/cpu-small.yaml", "--allow-stale-prices", *options]
    return CliRunner().invoke(make_app(), given)


class TestCommandLine:
    """What it takes besides a run's rows."""

    def test_other_types_are_compared_by_their_speed(self):
        """Cheapest first; a speed is assumed unless it says where it was measured."""
        types = ("--what-if", "m5.xlarge=1000", "--what-if", "m5.2xlarge=4_000")
        said = json.loads(priced(*types, "--json").stdout)["what_if"]
        assert ["m5.2xlarge", "m5.xlarge"] == [each["instance_type"] for each in said]
        assert "assumed" == said[0]["label"]
        assert "a million rows, while it works" in priced(*types).stdout
        measured = json.loads(priced(*types, "--measured", "our runs", "--json").stdout)["what_if"]
        assert ("measured", "our runs") == (measured[0]["label"], measured[0]["source"])

    @pytest.mark.parametrize("text", ["m5.xlarge", "=3", "m5.xlarge=0", "m5.xlarge=fast"])
    def test_a_type_without_its_speed_is_refused(self, text):
        """With how it is written."""
        refused = priced("--what-if", text)
        assert 2 == refused.exit_code
        assert "write m7g.2xlarge=40000" in refused.stderr

    def test_a_service_is_told_by_the_month(self):
        """120 requests of 50 ms are six under way; at 60 % of four slots that is three machines."""
        asked = ("--requests-per-s", "120", "--seconds-per-request", "0.05", "--concurrency", "4")
        month = json.loads(priced(*asked, "--json").stdout)["always_on"]
        assert (3, 0.5) == (month["machines"], pytest.approx(month["busy"]))
        one = month["inputs"][-1]["value"]
        assert 3 * 730 * one == pytest.approx(month["usd_per_month"])
        assert "always on: USD" in priced(*asked).stdout
        assert "give" not in priced(*asked[:2]).stdout
        assert "--seconds-per-request" in priced(*asked[:2]).stderr

    def test_spot_is_taken_as_the_share_that_is_given(self):
        """Of On-Demand; AWS's own prices need none."""
        spot = ("--cluster-set", "core.on_demand=0", "--cluster-set", "core.spot=2")
        rows = json.loads(priced(*spot, "--spot-share", "0.25", "--json").stdout)["clusters"][0]
        full = json.loads(priced(*spot, "--json").stdout)["clusters"][0]
        of = [r["usd_per_hour"] for c in (rows, full) for r in c["rows"] if r["item"] == "EC2 Spot"]
        assert of[0] == pytest.approx(0.25 * of[1])
        assert "leave --spot-share out" in priced("--live", "--spot-share", "0.25").stderr


class TestPlot:
    """The picture."""

    LINE = Line(name="cpu", fixed_usd=1.0, usd_per_row=3e-6)

    def test_png_and_one_line_alone(self, tmp_path):
        """A picture is a picture, with a break-even or without."""
        file = plot_costs([self.LINE], tmp_path / "cost.png")
        assert b"\x89PNG" == file.read_bytes()[:4]

    def test_other_files_are_refused(self, tmp_path):
        """Before anything is drawn."""
        with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf"):
            plot_costs([self.LINE], tmp_path / "cost.xls")
        with pytest.raises(ConfigError, match="no such folder"):
            plot_costs([self.LINE], tmp_path / "none" / "cost.png")


def test_costs_are_computed_without_boto3_matplotlib_or_spark():
    """`emr plan` tells a cost in no time."""
    code = (
        "import sys, emr.cost.command, emr.cost.prices\n"
        "heavy = {'boto3', 'botocore', 'matplotlib', 'pyspark', 'mlflow', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
