"""A service account's key signs for its access token; what is wrong with the key is told in words."""

from __future__ import annotations

import json

import pytest

rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="extra `googleplay` is not installed")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, padding  # noqa: E402

from ingest.collector import NEVER, Denied, Source  # noqa: E402
from ingest.credentials import Grant  # noqa: E402
from ingest.service_account import account_of, service_account  # noqa: E402
from ingest.setting import Setting  # noqa: E402
from stream.clock import WallClock  # noqa: E402
from tests.standins.oauth import OAuthStandIn  # noqa: E402

EMAIL = "reads-reviews@acme.iam.example.org"
WHERE = "docs/networks/googleplay.md says how to get one"


def pem(private: object) -> str:
    return private.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def grant(network: OAuthStandIn, held: str) -> Grant:
    setting = Setting(Source(id="play", network="googleplay"), tuple, {"PLAY_KEY": held}.get, WallClock())
    return Grant(setting, service_account("PLAY_KEY", scope="reviews", where=WHERE, url=f"{network.url}/token"))


def key_file(private_key: str) -> str:
    return json.dumps({"type": "service_account", "client_email": EMAIL, "private_key": private_key, "token_uri": "x"})


def test_what_the_key_signs_is_traded_for_a_token() -> None:
    private = rsa.generate_private_key(65537, 2048)
    with OAuthStandIn() as network:
        network.office.account = (
            EMAIL,
            lambda signature, text: private.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256()),
        )
        one = grant(network, key_file(pem(private)))
        assert one.token() == "access-token-number-1"
        assert one.ends() == NEVER
    assert account_of(key_file(pem(private)), "PLAY_KEY", WHERE) == EMAIL


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("not json", "does not hold the JSON file"),
        ("[]", "does not hold the JSON file"),
        ('{"client_email": "a@b.example"}', "does not hold the JSON file"),
        (key_file("not a key"), "cannot be read"),
        (key_file(pem(ec.generate_private_key(ec.SECP256R1()))), "cannot be read"),
    ],
)
def test_a_key_that_is_none_is_told_by_its_name(held: str, said: str) -> None:
    with OAuthStandIn() as network, pytest.raises(Denied, match=f"PLAY_KEY.*{said}|{said}.*PLAY_KEY") as denied:
        grant(network, held).token()
    assert WHERE in str(denied.value)
    assert "not a key" not in str(denied.value)
    assert not network.requests


def test_an_account_that_the_network_does_not_know_is_refused_in_words() -> None:
    private = rsa.generate_private_key(65537, 2048)
    with (
        OAuthStandIn() as network,
        pytest.raises(Denied, match=r"what PLAY_KEY holds.*is the clock of this machine right"),
    ):
        grant(network, key_file(pem(private))).token()
