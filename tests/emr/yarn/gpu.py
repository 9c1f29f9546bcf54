"""GPUs that a node says it has: YARN's own GPU plugin, and an `nvidia-smi` that only talks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESOURCE = "yarn.io/gpu"
RESOURCE_TYPES = {"yarn.resource-types": RESOURCE}

_GPU = """  <gpu id="0000000{number}:00:00.0">
    <product_name>Tesla T4</product_name>
    <minor_number>{number}</minor_number>
    <fb_memory_usage>
      <total>15109 MiB</total><used>0 MiB</used><free>15109 MiB</free>
    </fb_memory_usage>
    <utilization><gpu_util>0 %</gpu_util></utilization>
    <temperature>
      <gpu_temp>30 C</gpu_temp>
      <gpu_temp_max_threshold>96 C</gpu_temp_max_threshold>
      <gpu_temp_slow_threshold>93 C</gpu_temp_slow_threshold>
    </temperature>
  </gpu>
"""

DISCOVERY = """#!/bin/sh
echo '{"name": "gpu", "addresses": ["0", "1"]}'
"""


def yarn_site(folder: Path, gpus: int) -> dict[str, str]:
    """The keys that EMR's GPU page sets, but for cgroups, which need root."""
    listed = "".join(_GPU.format(number=number) for number in range(gpus))
    smi = folder / "nvidia-smi"
    smi.write_text(
        "#!/bin/sh\ncat <<'END'\n<?xml version=\"1.0\" ?>\n<nvidia_smi_log>\n"
        f"  <driver_version>550.54</driver_version>\n{listed}</nvidia_smi_log>\nEND\n"
    )
    smi.chmod(0o755)
    plugins = "yarn.nodemanager.resource-plugins"
    return {
        plugins: RESOURCE,
        f"{plugins}.gpu.allowed-gpu-devices": "auto",
        f"{plugins}.gpu.path-to-discovery-executables": str(smi),
    }
