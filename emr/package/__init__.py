"""What travels to the cluster: code, configuration, environment and model, each addressed by hash.

    local = pack(run, spec, cache=Path(".cache/emr"))    # builds what is not built yet
    upload(local, s3)                                    # stores what is not stored yet
    verify(local.package, s3)                            # before a step is added
    plan_package(run, spec)                              # the addresses alone: builds nothing

manifest.py     the values, their addresses and digest
config.py       the job's configuration, resolved, and whether a cluster can reach its places
places.py       the addresses in it, held against what a cluster can read
pin.py          an alias → a version and its digest; a local model's files go along
wheel.py        sparkml as a wheel; `script.py`: the script that spark-submit starts
requirements.py the locked versions of the chosen extras
sufficient.py   whether they have what the models import
environment.py  those, installed for the cluster's Python and processor; `archive.py`: as a tar.gz
pack.py         the story; `upload.py`: S3, by conditional put; `checksum.py`: as S3 computes them
"""

from emr.package.config import out_of_reach
from emr.package.manifest import LocalPackage, Package, PackedFile
from emr.package.pack import pack, plan_package
from emr.package.upload import environment_stored_in, upload, verify

__all__ = [
    "LocalPackage",
    "Package",
    "PackedFile",
    "environment_stored_in",
    "out_of_reach",
    "pack",
    "plan_package",
    "upload",
    "verify",
]
