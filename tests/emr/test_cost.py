"""Costs, recomputed by hand: by the hour, by the run, and where two clusters break even."""

import datetime as dt

import pytest

from emr.cost.break_even import Line, break_even, line_of
from emr.cost.hourly import hourly_cost
from emr.cost.inputs import Given
from emr.cost.run import run_cost, work
from emr.errors import PricesMissing
from emr.spec import Scaling, Volume
from sparkml.errors import ConfigError
from tests.emr.round_prices import NODE_EBS, SMALL, cluster, round_prices


@pytest.fixture
def prices(tmp_path):
    """Round prices, and those of AWS's own worked example."""
    return round_prices(tmp_path)


class TestHourly:
    """By role: EC2 or Spot, the fee, EBS."""

    def test_on_demand_pays_ec2_fee_and_volumes_for_every_node(self, prices):
        """The primary's fee is in it too."""
        cost = hourly_cost(cluster(SMALL, {**SMALL, "on_demand": 3}), prices)
        assert 4 * (0.10 + 0.02 + NODE_EBS) == pytest.approx(cost.usd_per_hour)
        assert 4 * 0.02 == pytest.approx(cost.of("EMR"))
        assert cost.usd_per_hour == pytest.approx(cost.ceiling_usd_per_hour)
        assert cost.usd_per_hour == pytest.approx(cost.lowest_usd_per_hour)
        assert {"MASTER", "CORE"} == {row.role for row in cost.rows}
        assert "USD 0.52 an hour (EC2 0.40, EMR 0.08, EBS 0.04)" in cost.line()

    def test_spot_lowers_the_instance_and_not_the_fee(self, prices):
        """The ceiling is what On-Demand would be."""
        cost = hourly_cost(cluster(SMALL, {**SMALL, "spot": 2}), prices)
        assert 4 * 0.02 == pytest.approx(cost.of("EMR"))
        assert 2 * 0.10 + 2 * 0.04 == pytest.approx(cost.of("EC2"))
        assert 4 * (0.12 + NODE_EBS) == pytest.approx(cost.ceiling_usd_per_hour)

    def test_a_choice_of_types_gives_both_bounds_by_weight(self, prices):
        """Four units are four small nodes, or two of weight 2."""
        types = ["small.xlarge", {"type": "large.2xlarge", "weight": 2}]
        spec = cluster(SMALL, {"types": types, "on_demand": 4}, layout="fleets")
        cost = hourly_cost(spec, prices)
        primary = 0.12 + NODE_EBS
        assert primary + 4 * (0.12 + NODE_EBS) == pytest.approx(cost.lowest_usd_per_hour)
        assert primary + 2 * (0.36 + NODE_EBS) == pytest.approx(cost.usd_per_hour)
        assert "from 0.65" in cost.line()

    def test_managed_scaling_has_a_range_and_its_maximum_is_the_ceiling(self, prices):
        """From the cheapest at its minimum, of which one is bought On-Demand, to the dearest."""
        scaling = Scaling(unit="instances", minimum=2, maximum=10, maximum_on_demand=4)
        cost = hourly_cost(cluster(SMALL, {**SMALL, "spot": 1}, scaling=scaling), prices)
        primary = 0.12 + NODE_EBS
        low, high = cost.scaled_usd_per_hour
        assert primary + (0.12 + NODE_EBS) + (0.06 + NODE_EBS) == pytest.approx(low)
        assert primary + 4 * (0.12 + NODE_EBS) + 6 * (0.06 + NODE_EBS) == pytest.approx(high)
        assert primary + 10 * (0.12 + NODE_EBS) == pytest.approx(cost.ceiling_usd_per_hour)

    def test_no_minimum_is_below_the_nodes_that_are_bought_on_demand(self, prices):
        """Core nodes On-Demand fill the whole minimum: no Spot price is in it."""
        scaling = Scaling(unit="instances", minimum=2, maximum=10, maximum_on_demand=2)
        nodes = {**SMALL, "on_demand": 2, "spot": 4}
        cost = hourly_cost(cluster(SMALL, nodes, scaling=scaling), prices)
        assert 3 * (0.12 + NODE_EBS) == pytest.approx(cost.scaled_usd_per_hour[0])

    def test_old_prices_are_noted(self, prices):
        """The oldest counts, from the day of its source."""
        cost = hourly_cost(cluster(SMALL, SMALL), prices)
        assert "2024-01-01" == cost.to_json()["oldest_price"]
        fresh = cost.line(today=dt.date(2024, 12, 31))
        assert fresh.endswith("oldest price of 2024-01-01")
        noted = cost.line(today=dt.date(2025, 1, 1))
        assert "oldest price of 2024-01-01, older than 365 days" in noted

    def test_what_gp3_has_for_free_is_not_paid(self, prices):
        """3 000 IOPS and 125 MiB/s are in the price of the GiB."""
        volumes = (Volume(gib=100, iops=4_000, throughput_mib_s=225, per_node=2),)
        cost = hourly_cost(cluster(SMALL, {**SMALL, "volumes": volumes}), prices)
        core = [row for row in cost.rows if row.role == "CORE" and row.item.startswith("EBS")]
        assert {"GiB": 220, "IOPS": 2_000, "MiB/s": 200} == {row.unit: row.units for row in core}

    def test_volumes_that_emr_adds_by_itself_are_in_the_bill(self, prices):
        """An xlarge gets two of 32 GiB, besides its root of 20; one with disks of its own none."""
        cost = hourly_cost(cluster({**SMALL, "volumes": ()}, SMALL), prices)
        assert {"MASTER": 84, "CORE": 100} == {
            row.role: row.units for row in cost.rows if row.unit == "GiB"
        }

    def test_a_type_without_a_price_is_named(self, prices):
        """Rather than counted as nothing."""
        with pytest.raises(PricesMissing, match=r"m5\.xlarge"):
            hourly_cost(cluster(SMALL, {"types": ["m5.xlarge"], "on_demand": 1}), prices)


def known(**values):
    """Inputs of a run as a caller gives them."""
    return {
        name: Given(name=name, value=value, unit="", label="assumed", source="a test")
        for name, value in values.items()
    }


AROUND = known(provisioning_s=300, bootstrap_s=40, startup_s=20, model_load_s=10, idle_s=30)
"""What a run takes besides its rows: 400 s."""


class TestRun:
    """One run, all-in and marginal."""

    def test_seconds_and_dollars_by_hand(self, prices):
        """1.8 M rows at 2 x 1 000 rows/s and 90 % are 1 000 s, besides 400 s around them."""
        cost = hourly_cost(cluster(SMALL, {**SMALL, "on_demand": 2}), prices)
        how = work(rows_per_s=1_000, workers=2, **known(efficiency=0.9), **AROUND)
        run = run_cost(cost, how, 1_800_000)
        assert (1_400, 1_000) == (run.billed_s, pytest.approx(run.working_s))
        assert 0.39 * 1_400 / 3_600 == pytest.approx(run.usd)
        assert 0.39 * 1_400 / 3_600 / 1.8 == pytest.approx(run.usd_per_million)
        assert 0.39 * 1_000 / 3_600 / 1.8 == pytest.approx(run.marginal_usd_per_million)

    def test_a_minute_is_paid_at_least_and_every_second_begun(self, prices):
        """Nothing runs for less."""
        cost = hourly_cost(cluster(SMALL, SMALL), prices)
        nothing = known(**dict.fromkeys(AROUND, 0), efficiency=1)
        how = work(rows_per_s=1_000, workers=1, **nothing)
        assert 60 == run_cost(cost, how, 1_000).billed_s
        assert 61 == run_cost(cost, how, 60_001).billed_s

    def test_an_interruption_adds_the_work_it_costs_again(self, prices):
        """20 % of runs, half of the work: a tenth more."""
        cost = hourly_cost(cluster(SMALL, SMALL), prices)
        often = known(efficiency=1, interruption=0.2, rework=0.5)
        how = work(rows_per_s=1_000, workers=1, **often)
        assert 1_100 == pytest.approx(run_cost(cost, how, 1_000_000).working_s)

    def test_every_input_says_what_it_is(self):
        """What is measured keeps its label; what nobody gave is assumed and says why."""
        load = Given(name="load", value=4.2, unit="s", label="measured", source="one run of ours")
        how = work(
            rows_per_s=1_000, workers=1, label="measured", source="make bench", model_load_s=load
        )
        labels = {given.name: (given.label, given.source) for given in how.inputs}
        assert ("measured", "make bench") == labels["speed"]
        assert ("measured", "one run of ours") == labels["load"]
        assert "assumed" == labels["provisioning"][0]
        assert all(given.source for given in how.inputs)

    @pytest.mark.parametrize("wrong", [{"efficiency": 1.2}, {"idle_s": -1}, {"rework": 2}])
    def test_numbers_that_cannot_be_are_refused(self, wrong):
        """Before anything is computed from them."""
        with pytest.raises(ConfigError, match=r"efficiency|idle_s|rework"):
            work(rows_per_s=1_000, workers=1, **known(**wrong))

    def test_no_speed_and_no_rows_are_refused(self, prices):
        """Neither has a cost."""
        with pytest.raises(ConfigError, match="speed is 0"):
            work(rows_per_s=0, workers=1)
        cost = hourly_cost(cluster(SMALL, SMALL), prices)
        with pytest.raises(ConfigError, match="rows is 0"):
            run_cost(cost, work(rows_per_s=1, workers=1), 0)


class TestBreakEven:
    """Where the all-in lines cross."""

    CPU = Line(name="cpu", fixed_usd=1.0, usd_per_row=3e-6)
    GPU = Line(name="gpu", fixed_usd=3.0, usd_per_row=1e-6)

    def test_it_is_where_both_cost_the_same(self):
        """One dollar per million less, two dollars more at first: a million rows."""
        even = break_even(self.GPU, self.CPU)
        assert (1_000_000, "cpu", "gpu") == (even.rows, even.cheaper_below, even.cheaper_above)
        assert self.CPU.at(even.rows) == pytest.approx(self.GPU.at(even.rows))
        assert self.CPU.at(even.rows / 2) < self.GPU.at(even.rows / 2)
        assert self.CPU.at(even.rows * 2) > self.GPU.at(even.rows * 2)

    def test_lines_that_never_cross_have_none(self):
        """The GPU that starts dearer and gains nothing per row."""
        slow = Line(name="gpu", fixed_usd=3.0, usd_per_row=3e-6)
        even = break_even(self.CPU, slow)
        assert (None, "cpu") == (even.rows, even.cheaper_below)
        assert "cpu is cheaper at any number of rows" in even.text()

    def test_two_of_a_price_cost_the_same(self):
        """Neither is called cheaper."""
        even = break_even(self.CPU, Line(name="other", fixed_usd=1.0, usd_per_row=3e-6))
        assert "cpu and other cost the same" == even.text()
        dearer = break_even(self.CPU, Line(name="other", fixed_usd=1.0, usd_per_row=4e-6))
        assert "cpu is cheaper at any number of rows" in dearer.text()

    def test_the_lines_are_those_of_runs(self, prices):
        """At the break-even of two clusters, their runs cost the same to the second's price."""
        few = hourly_cost(cluster(SMALL, SMALL), prices)
        large = {"types": ["large.2xlarge"], "on_demand": 4}
        many = hourly_cost(cluster(SMALL, large), prices)
        slow, fast = work(rows_per_s=1_000, workers=1), work(rows_per_s=50_000, workers=4)
        even = break_even(line_of(few, slow), line_of(many, fast))
        dollars = [run_cost(few, slow, even.rows).usd, run_cost(many, fast, even.rows).usd]
        assert dollars[0] == pytest.approx(dollars[1], abs=2 * many.usd_per_hour / 3_600)
