"""What costs are asked for: other types, services, the command's answer, a picture."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emr.cost.break_even import Line
from emr.cost.command import Asked, cost_command
from emr.cost.hourly import hourly_cost
from emr.cost.inputs import Given
from emr.cost.plot import plot_costs
from emr.cost.prices import snapshot
from emr.cost.rate import Rate, rate_of
from emr.cost.run import run_cost
from emr.cost.service import Service, always_on, service_on
from emr.cost.table import as_text, what_if_table
from emr.cost.what_if import what_if
from emr.cost.working import work_on
from emr.machines.instances import instance_of
from sparkml.errors import ConfigError
from tests.emr.golden import SPECS, shipped
from tests.emr.round_prices import SMALL, cluster, round_prices

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results.json"


@pytest.fixture
def prices(tmp_path):
    """Round prices, and those of AWS's own worked example."""
    return round_prices(tmp_path)


class TestWhatIf:
    """The same cluster of other types, by their speed."""

    def test_it_is_what_a_run_on_such_a_cluster_costs_more(self, prices):
        """One answer to one question: the primary, volumes, efficiency and Spot are in it."""
        spec = cluster(SMALL, {**SMALL, "on_demand": 3, "spot": 1})
        rate = Rate.of(10_000)
        cost = hourly_cost(spec, prices)
        run = run_cost(cost, work_on(spec, cost, rate), 1_000_000)
        (answer,) = what_if(spec, [("small.xlarge", rate)], prices)
        assert run.marginal_usd_per_million == pytest.approx(answer.usd_per_million)
        assert cost.usd_per_hour == pytest.approx(answer.cost.usd_per_hour)

    def test_cheapest_first_with_the_spread_of_the_repetitions(self, prices):
        """Two small nodes cost 0.39 with their primary, two large ones 0.87."""
        spec = cluster(SMALL, {**SMALL, "on_demand": 2})
        even = {"efficiency": given("efficiency", 1)}
        spread = {"slowest_rows_per_s": 800, "fastest_rows_per_s": 1_250, "repetitions": 3}
        small = replace(Rate.of(1_000, label="measured", source="ours"), **spread)
        rates = [("small.xlarge", small), ("large.2xlarge", Rate.of(40_000))]
        first, second = what_if(spec, rates, prices, even)
        assert 0.87 / 3_600 * 1e6 / 80_000 == pytest.approx(first.usd_per_million)
        million = 0.39 / 3_600 * 1e6 / 2_000
        assert million == pytest.approx(second.usd_per_million)
        assert million / 1.25 == pytest.approx(second.lowest_usd_per_million)
        assert million / 0.8 == pytest.approx(second.highest_usd_per_million)
        assert ("quoted", "2024-01-01") == (
            second.to_json()["price_label"],
            second.to_json()["oldest_price"],
        )
        assert "2024-01-01" in as_text(what_if_table([first, second]))

    def test_a_type_of_the_spec_keeps_its_weight(self, prices):
        """Four units are two nodes of weight 2, as they are priced by the hour."""
        types = [{"type": "large.2xlarge", "weight": 2}]
        spec = cluster(SMALL, {"types": types, "on_demand": 4}, layout="fleets")
        (answer,) = what_if(spec, [("large.2xlarge", Rate.of(1))], prices)
        assert 2 == answer.to_json()["nodes"]
        assert hourly_cost(spec, prices).usd_per_hour == pytest.approx(answer.cost.usd_per_hour)

    def test_an_assumed_price_makes_the_answer_an_assumed_one(self):
        """EMR's fees are mostly assumed in the shipped file; the cluster's time is its own."""
        spec = shipped(SPECS[0])
        (answer,) = what_if(
            spec, [("m7g.xlarge", Rate.of(40_000, label="measured"))], snapshot(allow_stale=True)
        )
        assert ("assumed", "measured") == (answer.price_label, answer.rate.label)


class TestRate:
    """A speed, as the command line says it."""

    def test_it_is_assumed_unless_it_says_where_it_was_measured(self):
        """And a price list's number says so."""
        said = {text: rate_of(text, option="--what-if") for text in ("4_000", "4e3@our cluster")}
        assert {("assumed", 4_000), ("measured", 4_000)} == {
            (rate.label, rate.rows_per_s) for rate in said.values()
        }
        assert "our cluster" == said["4e3@our cluster"].source
        assert "quoted" == rate_of("1@quoted:a page", option="--what-if").label

    def test_our_benchmark_taken_for_a_node_is_an_assumption(self):
        """It was measured, but on another machine; unless it says which."""
        asked = {"option": "--rows-per-s", "results": RESULTS}
        taken = rate_of("GBT:sparkml, into Delta", **asked)
        results = json.loads(RESULTS.read_text())
        seconds = sorted(results["seconds"]["GBT"]["sparkml, into Delta"])
        assert results["rows"] / seconds[len(seconds) // 2] == pytest.approx(taken.rows_per_s)
        assert results["rows"] / seconds[-1] == pytest.approx(taken.slowest_rows_per_s)
        assert ("assumed", len(seconds)) == (taken.label, taken.repetitions)
        assert "taken for this node" in taken.source
        there = rate_of("GBT:sparkml, into Delta@m5.xlarge", **asked)
        assert ("measured", True) == (there.label, there.source.startswith("m5.xlarge: "))
        with pytest.raises(ConfigError, match="did you mean 'GBT'"):
            rate_of("GBTs:sparkml, into Delta", **asked)

    def test_a_file_that_holds_no_results_is_refused(self, tmp_path):
        """Missing, not JSON, or something else."""
        file = tmp_path / "results.json"
        no_cores = '{"seconds": {"GBT": {"ours": [1.0]}}, "rows": 1, "machine": {}}'
        for text in (None, "{", "[]", "{}", no_cores):
            if text is not None:
                file.write_text(text)
            with pytest.raises(ConfigError, match="no results to read"):
                rate_of("GBT:sparkml", option="--rows-per-s", results=file)


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

    def test_the_machine_is_as_sure_and_as_old_as_its_prices(self, prices):
        """It is a sum of quoted prices, with their day; and not AWS's where somebody knows it."""
        asked = {"requests_per_s": given("rate", 1), "seconds_per_request": given("time", 0.1)}
        node = {**SMALL, "types": ["r5.4xlarge"]}
        machine = service_on(cluster(node, node), prices, known={}, **asked).machine_usd_per_hour
        assert 1.008 + 0.01 == pytest.approx(machine.value)
        assert "quoted" == machine.label
        assert machine.source.endswith("oldest price of 2024-01-01")
        own = {"machine_usd_per_hour": given("a machine", 0.3), "concurrency": given("slots", 2)}
        known = service_on(cluster(node, node), prices, known=own, **asked)
        assert (0.3, 2) == (known.machine_usd_per_hour.value, known.concurrency.value)
        assumed = service_on(
            shipped(SPECS[0]), snapshot(allow_stale=True, region="us-east-1"), known={}, **asked
        )
        kind = shipped(SPECS[0]).core.types[0].type
        assert instance_of(kind).vcpu == assumed.concurrency.value


class TestCommand:
    """What `emr cost` says."""

    def test_a_comparison_has_both_runs_and_where_they_break_even(self, prices, tmp_path):
        """As text for a reader, as values for a program, and as a picture."""
        fast = cluster(SMALL, {"types": ["large.2xlarge"], "on_demand": 1})
        known = {"bootstrap_s": given("bootstrap", 90)}
        rate = Rate.of(20_000, label="measured", source="make bench")
        answer = cost_command(
            Asked(spec=cluster(SMALL, SMALL), rate=rate, known=known),
            prices,
            rows=50_000_000,
            against=Asked(spec=fast, rate=Rate.of(400_000)),
            plot=tmp_path / "cost.svg",
        )
        assert "break-even at" in answer.text
        assert "make bench" in answer.text
        assert [90, 0] == [
            next(one["value"] for one in run["inputs"] if one["name"] == "bootstrap")
            for run in answer.json["runs"]
        ]
        assert answer.json == json.loads(json.dumps(answer.json))
        assert "break-even" in (tmp_path / "cost.svg").read_text()

    def test_the_hourly_cost_needs_no_speed_and_a_run_does(self, prices):
        """A speed is never made up."""
        spec = Asked(spec=cluster(SMALL, SMALL))
        assert "USD 0.26 an hour" in cost_command(spec, prices).text
        with pytest.raises(ConfigError, match=r"needs its speed.*--rows-per-s"):
            cost_command(spec, prices, rows=1_000)
        with pytest.raises(ConfigError, match="needs its speed"):
            cost_command(spec, prices, rows=0)
        with pytest.raises(ConfigError, match="other cluster's speed"):
            cost_command(replace(spec, rate=Rate.of(1)), prices, against=spec)

    def test_spot_and_bootstrap_actions_are_reckoned_with(self, prices):
        """Their share is assumed, unless it is known."""
        spec = cluster(SMALL, {**SMALL, "spot": 1})
        answer = cost_command(Asked(spec=spec, rate=Rate.of(1_000)), prices, rows=1_000_000)
        inputs = {each["name"]: each["value"] for each in answer.json["runs"][0]["inputs"]}
        assert (0.05, 2) == (inputs["interruption"], inputs["workers"])

    @pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
    def test_shipped_clusters_have_prices(self, path):
        """Each of them, or its plan could not tell its cost."""
        answer = cost_command(Asked(spec=shipped(path)), snapshot(allow_stale=True))
        assert answer.json["clusters"][0]["usd_per_hour"] > 0


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

    def test_a_file_that_cannot_be_written_is_the_callers_mistake(self, tmp_path):
        """A folder stands there."""
        (tmp_path / "cost.png").mkdir()
        with pytest.raises(ConfigError, match="cannot draw: Is a directory"):
            plot_costs([self.LINE], tmp_path / "cost.png")


def test_costs_are_computed_without_boto3_matplotlib_or_spark():
    """`emr plan` tells a cost in no time."""
    code = (
        "import sys, emr.cost.command, emr.cost.prices\n"
        "heavy = {'boto3', 'botocore', 'matplotlib', 'pyspark', 'mlflow', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
