"""Holds every live answer of the acceptance tests against the contract of the gateway that gave it."""

from raml import conformance
from raml.reader import read
from tests.acceptance.platform import Witnessed

APIS = {name: read(f"{name}.raml") for name in ("agr", "dso")}


def witness(seen: Witnessed) -> None:
    """Raises ContractBroken when an answer is not what the contract says."""
    conformance.check(
        APIS[seen.api],
        seen.method,
        seen.path,
        status=seen.status,
        content_type=seen.content_type,
        body=seen.body,
        headers=seen.headers,
    )
