"""What AWS offers: releases, instance types, and the executors that fit on one."""
