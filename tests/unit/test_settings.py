"""Settings: what wins, what is refused, and that nothing secret shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import SettingsError
from hub.settings import KINDS, GatewaySettings, HubSettings, Secret, Sources, describe, load
from hub.values import Role

HUB = {"TPS__HUB__ID": "45X-TPS-HUB-DEM8", "TPS__HUB__SECRET": "0123456789abcdef0123456789abcdef"}
READABLE = "the name of a file that holds the value and that this user may read"
GATEWAY = {
    "TPS__GATEWAY__HUB_ID": "45X-TPS-HUB-DEM8",
    "TPS__PARTICIPANT__ID": "5790001330552",
    "TPS__PARTICIPANT__ROLE": "AGR",
}


def problems(env: dict[str, str], *sets: str, toml: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(HubSettings, toml, env, sets)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_what_is_named_nowhere_has_its_default() -> None:
    settings = load(HubSettings, env=HUB)

    assert settings.hub.id == "45X-TPS-HUB-DEM8"
    assert (settings.http.port, settings.hub.beat_s, settings.log.format) == (8080, 2.0, "auto")


def test_a_flag_wins_over_the_envment_which_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tps.toml"
    file.write_text('[http]\nport = 1\nhost = "file"\nrate_per_s = 7\n')
    env = HUB | {"TPS__HTTP__PORT": "2", "TPS__HTTP__HOST": "envment"}

    settings = load(HubSettings, file, env, ["http.port=3"])

    assert (settings.http.port, settings.http.host, settings.http.rate_per_s) == (3, "envment", 7.0)


def test_a_path_in_a_file_counts_from_the_folder_of_that_file(tmp_path: Path) -> None:
    file = tmp_path / "tps.toml"
    file.write_text('[mades]\ndir = "."\n[database]\ndir = "/elsewhere"\n')

    settings = load(HubSettings, file, HUB)

    assert (settings.mades.dir, settings.database.dir) == (tmp_path, Path("/elsewhere"))
    assert load(HubSettings, env=HUB | {"TPS__MADES__DIR": "keys"}).mades.dir == Path("keys")


def test_a_gateway_has_a_role_of_the_market() -> None:
    settings = load(GatewaySettings, env=GATEWAY)

    assert settings.participant.role is Role.AGR


def test_a_value_can_be_read_from_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("f" * 32 + "\n")
    env = {"TPS__HUB__ID": HUB["TPS__HUB__ID"], "TPS__HUB__SECRET_FILE": str(secret)}

    assert load(HubSettings, env=env).hub.secret.reveal() == "f" * 32


def test_a_setting_that_is_a_file_name_is_not_read_as_its_content(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch()
    env = HUB | {"TPS__HTTP__CERT_FILE": str(certificate), "TPS__HTTP__KEY_FILE": str(key)}

    assert load(HubSettings, env=env).http.cert_file == certificate


def test_all_problems_are_reported_at_once_with_place_found_and_expected(tmp_path: Path) -> None:
    file = tmp_path / "tps.toml"
    file.write_text('[http]\nport = "8080"\n[htpp]\nhost = "x"\n')

    found = problems(
        HUB | {"TPS__LOG__LEVEL": "loud", "TPS__HUB__SECRET_FILE": "/nowhere"}, "database.pool_min=9", "log", toml=file
    )

    assert found == [
        f"{file}: htpp.host: found an unknown setting; expected http.host.",
        f"TPS__HUB__SECRET_FILE: found no such file or directory; expected {READABLE}.",
        "TPS__HUB__SECRET_FILE: found a second value beside TPS__HUB__SECRET; expected one of the two.",
        "--set: found 'log'; expected section.name=value.",
        "database: pool_min is 9; expected at most pool_max, which is 4.",
        f"{file}: http.port: found '8080'; expected a whole number from 0 to 65535.",
        "TPS__LOG__LEVEL: found 'loud'; expected one of debug, error, info, warning.",
    ]


def test_a_missing_setting_is_named_with_its_variable() -> None:
    found = problems({"TPS__HUB__ID": HUB["TPS__HUB__ID"]})

    assert found == ["hub.secret: found nothing; expected text, secret. Set it in the file or as TPS__HUB__SECRET."]


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("hub.id=", "--set hub.id: found ''; expected 3 characters or more"),
        ("hub.timezone=Mars/Olympus", "hub: timezone is 'Mars/Olympus'; expected a name such as Europe/Copenhagen"),
        ("hub.domain=DK", "--set hub.domain: found 'DK'; expected 16 characters"),
        ("hub.beat_s=0", "--set hub.beat_s: found '0'; expected a number above 0"),
        ("http.key_file=/nowhere.pem", "http: only one of cert_file and key_file is set"),
        ("hub.beat=2", "--set hub.beat: found an unknown setting; expected hub.beat_s"),
    ],
)
def test_a_wrong_value_says_what_would_be_right(override: str, complaint: str) -> None:
    assert problems(HUB, override)[0].startswith(complaint)


def test_the_example_of_the_manual_is_a_file_that_works(root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "operating.md").read_text("utf-8")
    example = tmp_path / "tps.toml"
    example.write_text(page.partition("```toml\n")[2].partition("```")[0])

    settings = load(HubSettings, example, {"TPS__HUB__SECRET": HUB["TPS__HUB__SECRET"]})

    assert settings.http.port == 8443
    assert settings.database.url.reveal() == "postgresql://tps@db.example/tps"


def test_what_the_command_line_was_given_is_what_a_command_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in HUB.items():
        monkeypatch.setenv(variable, value)

    assert Sources(sets=("http.port=9",)).load(HubSettings).http.port == 9


def test_a_file_that_is_no_toml_is_a_problem_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "tps.toml"
    file.write_text("port = = 1")

    assert problems(HUB, toml=file)[0].startswith(f"{file}: found ")
    assert problems(HUB, toml=tmp_path / "none.toml")[0].startswith(f"{tmp_path / 'none.toml'}: found no such file")


def test_one_envment_can_serve_hub_and_gateway_but_a_flag_must_fit() -> None:
    env = HUB | GATEWAY

    assert load(HubSettings, env=env).hub.id == load(GatewaySettings, env=env).gateway.hub_id
    with pytest.raises(SettingsError, match=r"--set hub\.secret: found an unknown setting"):
        load(GatewaySettings, env=env, sets=["hub.secret=x"])


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=31))
def test_a_secret_never_shows(text: str) -> None:
    secret = Secret(text)

    assert text not in f"{secret!r} {secret} {[secret]}"
    assert secret == Secret(text)
    assert secret.reveal() == text


def test_a_refused_secret_is_not_quoted() -> None:
    assert "short-but-secret" not in str(problems(HUB, "hub.secret=short-but-secret"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_has_a_description_and_no_two_share_a_variable(kind: type) -> None:
    listed = describe(kind)
    variables = [setting.env for setting in listed]

    assert all(setting.description for setting in listed)
    assert len(variables) == len(set(variables))
    assert not {f"{variable}_FILE" for variable in variables} & set(variables)


@pytest.mark.parametrize(
    ("sets", "found"),
    [
        (["queues.cert_file=x.pem"], "only one of cert_file and key_file is set"),
        (["queues.url=https://user:hush@host/"], "url is none of AMQP"),
    ],
)
def test_queues_that_cannot_be_reached_are_told_without_the_password(sets: list[str], found: str) -> None:
    with pytest.raises(SettingsError, match=found) as raised:
        load(GatewaySettings, env=GATEWAY, sets=sets)

    assert "hush" not in str(raised.value)


def test_a_box_offers_no_queues_unless_it_is_told_where() -> None:
    assert load(GatewaySettings, env=GATEWAY).queues.url.reveal() == ""
