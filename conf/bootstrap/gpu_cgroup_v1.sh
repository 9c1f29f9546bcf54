#!/bin/bash
# EMR 7.x and 8.x: give YARN the device controller of cgroup v1, by which it hands out GPUs.
#
# Amazon Linux 2023 has cgroup v2 only, and YARN's GPU isolation knows v1. The place is the one that
# `yarn-site` and `container-executor` name. Runs on every node before Hadoop starts; a second run
# changes nothing. Source: EMR Release Guide, "Use the Nvidia RAPIDS Accelerator for Apache Spark".
set -euxo pipefail

root=/spark-rapids-cgroup
sudo mkdir -p "$root/devices"
mountpoint -q "$root/devices" || sudo mount -t cgroup -o devices cgroupv1-devices "$root/devices"
sudo chmod a+rwx -R "$root"
