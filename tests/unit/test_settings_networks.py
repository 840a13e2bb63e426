"""The networks from which the read API is served without a token, as people write them."""

import pytest

from bursar.errors import BursarError
from bursar.settings import load


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        (None, ["0.0.0.0/0", "::/0"]),
        ("", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        (" 10.0.0.0/8 , fd00::/8 ", ["10.0.0.0/8", "fd00::/8"]),
        ("127.0.0.1", ["127.0.0.1/32"]),
    ],
    ids=["by default: any", "none", "one", "two", "an address"],
)
def test_networks_are_read(text: str | None, networks: list[str]) -> None:
    assert [str(each) for each in load({"api_open_to": text}).api_networks] == networks


def test_the_environment_sets_them_and_a_flag_goes_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BURSAR_API_OPEN_TO", "10.0.0.0/8")
    assert [str(each) for each in load({}).api_networks] == ["10.0.0.0/8"]
    assert load({"api_open_to": ""}).api_networks == ()


@pytest.mark.parametrize("text", ["everybody", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8,,x", ","])
def test_what_is_no_network_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(BursarError) as found:
        load({"api_open_to": text})
    assert str(found.value).startswith("setting api_open_to: ")
    assert "10.0.0.0/8,fd00::/8" in str(found.value)
    assert "\n" not in str(found.value)
