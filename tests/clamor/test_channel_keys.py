"""The key of a signed webhook is one that whoever checks the signature has as well, or nothing is signed with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import CONFIGURATION, settled_home

from clamor.mail import way
from clamor.opening import open_home
from config.home import HomeError

DESK = "channels: [{id: desk, kind: webhook, url_env: CLAMOR_T_URL, secret_env: CLAMOR_T_KEY}]\n"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("whsec_dG9vIHNob3J0", "has fewer than 16 characters"),
        ("whsec_this is no base64 at all", "is not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ""),
        ("a long random key of our own", ""),
    ],
)
def test_a_key_that_signs_what_nobody_can_check_is_refused(tmp_path: Path, key: str, said: str) -> None:
    home = settled_home(tmp_path / "home", CONFIGURATION + DESK)
    home.secrets_file.write_text(f"CLAMOR_T_URL=https://crm.example.org/hook\nCLAMOR_T_KEY={key}\n", encoding="utf-8")
    home.secrets_file.chmod(0o600)
    with open_home(home, use="check") as opened:
        (desk,) = opened.settings.channels
        if not said:
            way(opened, desk).close()
            return
        with pytest.raises(HomeError, match=said) as refused:
            way(opened, desk)
    assert "CLAMOR_T_KEY" in str(refused.value)
    assert key not in str(refused.value)
