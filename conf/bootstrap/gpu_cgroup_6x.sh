#!/bin/bash
# EMR 6.x: open the control groups by which YARN hands out GPUs.
#
# Amazon Linux 2 has cgroup v1, owned by root. Runs on every node before Hadoop starts.
# Source: EMR Release Guide, "Use the Nvidia RAPIDS Accelerator for Apache Spark".
set -euxo pipefail

sudo chmod a+rwx -R /sys/fs/cgroup/cpu,cpuacct
sudo chmod a+rwx -R /sys/fs/cgroup/devices
