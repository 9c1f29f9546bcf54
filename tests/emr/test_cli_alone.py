"""`emr` where it needs no cluster: plan, help, policies, cost, wrong command lines, the doctor."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import boto3
import pytest

from emr.aws.doctor_spec import _grown
from emr.commands.options import spec_from
from tests.emr.driver import last, write_spec

pytestmark = pytest.mark.usefixtures("quick")

RAPIDS = "conf/clusters/gpu-rapids.yaml"


class TestWithoutAws:
    """What needs neither an account nor a network, and says so by having none."""

    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def test_plan_prints_request_commands_and_cost_and_sends_nothing(self, emr):
        status, out, err = emr("plan", "score", "--spec", RAPIDS, "-c", "conf/score.wine.yaml")
        assert 0 == status, err
        for part in ("ReleaseLabel: emr-spark-8.1.0", "aws emr create-cluster", "USD"):
            assert part in out

    def test_plan_as_json_of_a_cluster_alone(self, emr):
        status, out, _ = emr(
            "plan", "--spec", RAPIDS, "--json", "--cluster-set", "core.on_demand=3"
        )
        groups = json.loads(out)["run_job_flow"]["Instances"]["InstanceGroups"]
        assert (0, 3) == (status, groups[1]["InstanceCount"])

    def test_a_wrong_spec_is_told_with_its_line(self, emr, tmp_path):
        (tmp_path / "wrong.yaml").write_text("name: x\nartifacts: s3://bkt/x\nprimery: 3\n")
        status, out, err = emr("plan", "--spec", tmp_path / "wrong.yaml")
        assert (2, "") == (status, out)
        assert "wrong.yaml:3" in err
        assert "did you mean 'primary'" in err

    def test_iam_writes_a_policy_a_file(self, emr, tmp_path):
        status, out, err = emr("iam", "--spec", RAPIDS, "--out", tmp_path / "policies")
        assert 0 == status, err
        files = sorted((tmp_path / "policies").iterdir())
        assert sorted(out.split()) == [str(file) for file in files]
        assert all(json.loads(file.read_text()) for file in files)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--data", "s3a://x/y"), "'s3a://x/y' is no folder on S3 | --data"),
            (("--data", "my-bucket"), "'my-bucket' is no folder on S3 | --data"),
            (("--account", "123"), "'123' is no account | --account | fix: write its 12 digits"),
            (("--cluster-set", "security.at_rest_kms_key=alias/foo"), "is no KMS key"),
            (("--out", "/proc/policies"), "cannot write there: "),
        ],
        ids=lambda value: value if isinstance(value, str) else value[1],
    )
    def test_iam_writes_no_policy_that_would_grant_nothing(self, emr, options, said):
        status, out, err = emr("iam", "--spec", RAPIDS, *options)
        assert (2, "") == (status, out)
        assert said in last(err)

    def test_a_mistake_names_the_option_that_it_stands_in(self, emr):
        for option in ("--cluster-set", "--run-set"):
            job = ("score", "--config", "conf/score.wine.yaml", "--spec", RAPIDS)
            err = emr("plan", *job, option, "nmae=x")[2]
            assert f"| {option} |" in last(err)

    def test_cost_compares_two_clusters(self, emr):
        status, out, err = emr(
            "cost", "--spec", "conf/clusters/cpu-small.yaml", "--rows", 10_000_000,
            "--rows-per-s", 50_000, "--against", RAPIDS, "--against-rows-per-s", 400_000, "--json",
        )  # fmt: skip
        assert 0 == status, err
        assert {"clusters", "runs", "break_even"} <= set(json.loads(out))

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("submit", "score", "-c", "x.yaml"), "pass --cluster ID, or --transient"),
            (("submit", "score", "-c", "x.yaml", "--transient"), "pass --spec FILE"),
            (("plan", "score", "--spec", RAPIDS), "come together"),
            (("list", "--state", "WAITNG"), "did you mean 'WAITING'"),
            (("reap", "--older-than", "soon"), "write 90m, 8h or 2d"),
            (("up",), "Missing option '--spec'"),
        ],
    )
    def test_a_wrong_command_line_is_told_in_one_last_line(self, emr, arguments, said):
        status, out, err = emr(*arguments)
        assert (2, "") == (status, out)
        assert last(err).startswith("ERROR CONFIG_INVALID: ")
        assert said in last(err)

    def test_help_and_plan_import_neither_boto3_nor_spark(self):
        code = (
            "import sys; from emr import cli\n"
            "for words in (['--help'], ['plan', '--spec', '" + RAPIDS + "']):\n"
            "    sys.argv = ['emr', *words]; assert 0 == cli.status()\n"
            "heavy = {'boto3', 'pyspark', 'mlflow', 'pandas', 'sklearn'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
        assert 0 == done.returncode, done.stderr

    def test_the_help_names_every_command(self):
        done = subprocess.run(
            [sys.executable, "-m", "emr", "--help"], capture_output=True, text=True, check=True
        )
        for name in ("plan", "up", "list", "describe", "submit", "logs", "cancel", "down", "reap"):
            assert f"  {name} " in done.stdout


class TestDoctor:
    def test_each_thing_is_one_line_with_a_fix(self, emr, emr_endpoint, bucket, tmp_path):
        emr_endpoint()
        spec = write_spec(tmp_path, bucket)
        status, out, err = emr("doctor", "--spec", spec)
        assert (23, True) == (status, last(err).startswith("ERROR AWS_REFUSED: not ready: "))
        assert "ok    credentials: arn:aws:" in out
        assert re.search(r"ok    clock: \d s off", out)
        assert "FAIL  service role: there is no EMR_DefaultRole_V2" in out
        assert f"ok    bucket: {bucket} is in us-east-1" in out
        assert "warn  subnets: none named" in out
        assert "fix: `emr iam --spec FILE" in out

    def test_an_account_that_has_all_is_ready(self, emr, emr_endpoint, bucket, tmp_path):
        emr_endpoint()
        iam = boto3.client("iam")
        roles = {"service": "service-here", "instance_profile": "nodes-here"}
        for role in roles.values():  # not the default names: other tests ask this server, too
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
        profile = {"InstanceProfileName": "nodes-here"}
        iam.create_instance_profile(**profile)
        iam.add_role_to_instance_profile(**profile, RoleName="nodes-here")
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")
        spec = write_spec(tmp_path, bucket, network={"subnets": [subnet]}, roles=roles)
        status, out, err = emr("doctor", "--spec", spec, "--json")
        marks = {one["name"]: one["mark"] for one in json.loads(out)}
        assert ["ok"] * 4 == [
            marks[name] for name in ("service role", "instance profile", subnet, "credentials")
        ]
        assert "fail" not in marks.values(), err
        assert 0 == status

    def test_what_breaks_our_own_rules_is_told_first(self, emr, emr_endpoint, bucket, tmp_path):
        emr_endpoint()
        spec = write_spec(tmp_path, bucket, limits={"nodes": 1})
        told = json.loads(emr("doctor", "--spec", spec, "--json")[1])
        first = next(one for one in told if one["name"] == "spec")
        assert "fail" == first["mark"]
        assert "limits.nodes" in first["said"]

    def test_scaling_counts_and_so_does_a_machine_that_the_spec_tells(self, bucket, tmp_path):
        scaling = {"unit": "instances", "minimum": 1, "maximum": 10}
        core = {"types": "m7g.xlarge", "on_demand": 1}
        known = spec_from(write_spec(tmp_path, bucket, scaling=scaling, core=core), None)
        assert [40] == list(_grown(known).values())
        types = [{"type": "m99.huge", "machine": {"vcpu": 12, "memory_gib": 96, "arch": "x86_64"}}]
        told = write_spec(tmp_path, bucket, scaling=scaling, core={**core, "types": types})
        assert [120] == list(_grown(spec_from(told, None)).values())

    def test_without_credentials_nothing_else_is_asked(self, emr, emr_endpoint, monkeypatch):
        endpoint = emr_endpoint()
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        status, out, _ = emr("doctor")
        assert 23 == status
        assert out.startswith("FAIL  credentials")
        assert [] == endpoint.requests
