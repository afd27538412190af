"""Findings of the security checks that are meant, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import aws_cdk as cdk
from constructs import IConstruct

from infra.storage import Storage


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge on `construct` each AwsSolutions finding of `reasons` (finding → why)."""
    rules = [cdk.Acknowledgment(id=f"AwsSolutions::{id_}", reason=why) for id_, why in reasons.items()]
    cdk.Validations.of(construct).acknowledge(*rules)


def acknowledge_prefixes(construct: IConstruct, storage: Storage, prefixes: Iterable[str]) -> None:
    """Acknowledge that `construct` reaches every object below `prefixes` of the bucket."""
    bucket = _bucket_arn_text(construct, storage)
    acknowledge(
        construct,
        {
            f"AwsSolutions-IAM5[Resource::{bucket}/{prefix}*]": f"Only a run knows which objects lie below "
            f"{prefix}; the prefix is the narrowest bound there is."
            for prefix in prefixes
        },
    )


def acknowledge_resource(construct: IConstruct, resource: str, reason: str) -> None:
    """Acknowledge the wildcard in `resource`, an ARN that may name the account by a token."""
    account = cdk.Stack.of(construct).account
    named = "<AWS::AccountId>" if cdk.Token.is_unresolved(account) else account
    finding = resource.replace(account, named).replace(cdk.Stack.of(construct).partition, "aws")
    acknowledge(construct, {f"AwsSolutions-IAM5[Resource::{finding}]": reason})


def _bucket_arn_text(construct: IConstruct, storage: Storage) -> str:
    """Return the bucket's ARN as the checks print it: by logical id, from another stack by its export."""
    home, here = cdk.Stack.of(storage), cdk.Stack.of(construct)
    if home is here:
        return f"<{home.resolve(storage.bucket.bucket_arn)['Fn::GetAtt'][0]}.Arn>"
    return str(here.resolve(home.export_value(storage.bucket.bucket_arn))["Fn::ImportValue"])
