"""`security_configuration`: what encrypts, who may assume what, and how nodes hand out credentials.

EMR keeps a security configuration apart from clusters and lets nobody change one, so ours is named
by its content: the same values are made once, and other values are another one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from emr.request.service_model import check_request

if TYPE_CHECKING:
    from emr.spec import ClusterSpec


def security_configuration(spec: ClusterSpec) -> tuple[str, dict[str, Any]] | None:
    """The security configuration that a spec needs.

    Returns:
        Its name, and the keyword arguments of boto3's `create_security_configuration`; None where
        the spec names one that exists.

    Source: EMR Management Guide, "Create a security configuration", "Runtime roles for Amazon EMR
    steps".
    """
    if spec.security.configuration is not None:
        return None
    content: dict[str, Any] = {
        "EncryptionConfiguration": _encryption(spec),
        # With a hop limit of 1 no container's network reaches the node's credentials.
        "InstanceMetadataServiceConfiguration": {
            "MinimumInstanceMetadataServiceVersion": 2,
            "HttpPutResponseHopLimit": 1,
        },
    }
    if spec.roles.runtime:
        content["AuthorizationConfiguration"] = {
            "IAMConfiguration": {"EnableApplicationScopedIAMRole": True}
        }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    name = f"sparkml-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    kwargs = {"Name": name, "SecurityConfiguration": text}
    check_request("emr", "CreateSecurityConfiguration", kwargs)
    return name, kwargs


def _encryption(spec: ClusterSpec) -> dict[str, Any]:
    key, certificates = spec.security.at_rest_kms_key, spec.security.in_transit_certificates
    at_rest: dict[str, Any] = {"S3EncryptionConfiguration": {"EncryptionMode": "SSE-S3"}}
    if key:
        at_rest = {
            "S3EncryptionConfiguration": {"EncryptionMode": "SSE-KMS", "AwsKmsKey": key},
            "LocalDiskEncryptionConfiguration": {
                "EncryptionKeyProviderType": "AwsKms",
                "AwsKmsKey": key,
                "EnableEbsEncryption": True,
            },
        }
    encryption: dict[str, Any] = {
        "EnableAtRestEncryption": True,
        "AtRestEncryptionConfiguration": at_rest,
        "EnableInTransitEncryption": certificates is not None,
    }
    if certificates:
        encryption["InTransitEncryptionConfiguration"] = {
            "TLSCertificateConfiguration": {
                "CertificateProviderType": "PEM",
                "S3Object": certificates,
            }
        }
    return encryption
