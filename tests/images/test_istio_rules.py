"""Istio's rules that can be tested without a registry."""

import pytest

from image import istio


@pytest.mark.parametrize(
    "realm",
    ["https://auth.example.com/token", "http://auth.example.com", "https://8.8.8.8/token", "https://[2001:db8::1]/token"],
)
def test_a_realm_at_a_public_address_is_taken(realm: str) -> None:
    istio.check_challenge(f'Bearer realm="{realm}",service="registry"')


@pytest.mark.parametrize(
    "realm",
    [
        "Registry Realm",
        "file:///etc/passwd",
        "https://",
        "https://localhost/token",
        "https://127.0.0.1/token",
        "https://10.1.2.3/token",
        "https://172.31.0.1/token",
        "https://192.168.0.1/token",
        "https://169.254.169.254/token",
        "https://metadata.google.internal/token",
        "https://[::1]/token",
        "https://[fe80::1]/token",
        "https://[fd00::1]/token",
    ],
)
def test_a_realm_that_is_no_address_or_a_private_one_is_refused_by_name(realm: str) -> None:
    with pytest.raises(istio.Refused) as refused:
        istio.check_challenge(f'Basic realm="https://ok.example", Bearer realm="{realm}",service="registry"')
    assert f'in the name of "{realm}"' in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'"text"'])
def test_what_is_no_manifest_is_called_so(data: bytes) -> None:
    with pytest.raises(istio.Refused, match="is no manifest"):
        istio.read(data)


def test_dockers_schema_1_is_called_so() -> None:
    with pytest.raises(istio.Refused, match="schema 1"):
        istio.read(b'{"schemaVersion": 1, "fsLayers": []}')
