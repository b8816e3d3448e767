"""What stands where a secret belongs and is none."""

import pytest

from gateway.formats.placeholders import is_placeholder

NONE = (
    "whsec_ pdl_ntfset_ whsec_... whsec_… lum_… <your-secret> [secret] changeme change-me-please CHANGE_ME"
    " your-secret-here "
    "your_webhook_secret my-secret secret Password token xxxxxxxx 00000000 placeholder TODO whsec_xxxxxxxx"
    " whsec_secret "
    "user:password user:secret gateway:changeme admin: whsec_yoursecret replace-this-secret test 12345678"
)
SOME = (
    "a a:b x9 whsec_kT8vQz hunter2 gateway:p8Fj2LqZ correct-horse-battery-staple lum_live_9d8f secretariat "
    "MFkwEwYHKoZIzj0CAQ testing-9f8e7d6c5b4a key-9b2c4d6e8f"
)


@pytest.mark.parametrize("text", NONE.split())
def test_a_placeholder_is_no_secret(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize("text", SOME.split())
def test_what_somebody_made_up_is_one(text: str) -> None:
    assert not is_placeholder(text)
