"""compose.yaml is valid, hardened, and says of the code what is so: commands, settings, ports, who meets whom."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateways.demo.cast import PLAYERS
from hub.directory_service.bootstrap import VERBS
from hub.directory_service.plan import Plan, read
from hub.settings import KINDS, Http, Web, describe
from tests.docker.naming import measures, refused

Service = dict[str, Any]  # Any: a YAML mapping
ONCE: Final = {"secrets", "databases", "founder", "provisioner", "day"}
MEETING_PLACES: Final = {"broker", "directory", "postgres"}
"""What a gateway reaches; `prometheus` and `day` are guests of the profiles of the same name."""


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "docker" / "compose.yaml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return read(root / "docker" / "compose" / "platform.toml")


def ours(services: dict[str, Service]) -> dict[str, Service]:
    """Services of our own image that run a command of ours."""
    return {name: each for name, each in services.items() if each["image"].startswith("${TPS_IMAGE")}


def networks(service: Service) -> set[str]:
    """The networks a service is in."""
    return set(service.get("networks", ()))


@pytest.mark.slow
def test_it_is_valid(root: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    run = subprocess.run([*command, str(root / "docker" / "compose.yaml")], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_every_file_it_names_exists_and_every_config_is_used(root: Path, compose: dict[str, Any]) -> None:
    files = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", each["file"]) for name, each in compose["configs"].items()}
    used = {each["source"] for service in compose["services"].values() for each in service.get("configs", ())}

    assert [file for file in files.values() if not (root / "docker" / file).is_file()] == []
    assert used == files.keys()


def test_every_command_is_one_of_ours(services: dict[str, Service]) -> None:
    started = {name: each["command"] for name, each in ours(services).items() if "entrypoint" not in each}

    assert len(started) == 11
    assert [words for words in started.values() if refused(words)] == []
    assert "No such command" in refused(["broker", "paint"])


def test_every_variable_is_a_setting(services: dict[str, Service]) -> None:
    known = {setting.env for kind in KINDS for setting in describe(kind)}
    named = {name for each in ours(services).values() for name in each.get("environment", {})}

    assert named - {"TPS_SETTINGS"} <= known | {f"{name}_FILE" for name in known}


def test_every_participant_of_the_platform_file_has_its_gateway_on_its_own_folder(
    services: dict[str, Service], plan: Plan
) -> None:
    assert {(each.name, each.id, each.role, each.brp) for each in plan.participants} == {
        (player.name, player.id, player.role, player.brp) for player in PLAYERS
    }
    for each in plan.participants:
        service, folder = services[each.name], f"/srv/tps/members/{each.name}"
        assert service["command"] == [VERBS[each.role]]
        assert service["environment"]["TPS_SETTINGS"] == f"{folder}/settings.toml"
        assert [(mount["target"], mount["volume"]["subpath"]) for mount in service["volumes"]] == [
            (folder, f"members/{each.name}")
        ]


def test_hub_and_standby_are_the_same(services: dict[str, Service]) -> None:
    hub, standby = ({**services[name], "ports": []} for name in ("hub", "hub-standby"))

    assert hub == standby


def test_the_operator_s_pages_are_on_and_out_of_everybody_else_s_reach(
    services: dict[str, Service], compose: dict[str, Any]
) -> None:
    """F3: on the machine itself, with a password that is in a file."""
    hub = services["hub"]

    assert Path(hub["environment"]["TPS__WEB__PASSWORD_FILE"]).parent == Path(hub["volumes"][0]["target"])
    assert hub["environment"]["TPS__WEB__HOST"] == "0.0.0.0", "a published port leads to no loopback"
    assert networks(hub) == {"platform", "operators"}
    assert compose["networks"]["platform"] == {"internal": True}


def test_everybody_has_a_database_of_its_own_whose_password_is_in_its_own_folder(
    services: dict[str, Service], plan: Plan
) -> None:
    databases = {"directory": plan.directory.database, "hub": plan.hub.database} | {
        each.name: each.database for each in plan.participants
    }

    assert services["databases"]["command"] == services["secrets"]["command"] == list(databases)
    for name, url in databases.items():
        folder = "directory" if name == "directory" else f"members/{name}"
        assert url == f"postgresql://{name}@postgres/{name}?passfile=/srv/tps/{folder}/pgpass"


def test_components_find_directory_and_broker_by_the_names_of_their_services(
    services: dict[str, Service], plan: Plan
) -> None:
    assert {plan.directory.hosts, plan.broker.hosts} == {"directory", "broker"}
    assert services["broker"]["healthcheck"]["test"][-1] == str(plan.broker.port)
    assert plan.directory.settings["directory"]["host"] == "0.0.0.0"


def test_f1_a_gateway_meets_broker_directory_and_its_database_and_nobody_else(services: dict[str, Service]) -> None:
    for player in PLAYERS:
        own = networks(services[player.name])
        met = {name for name, each in services.items() if own & networks(each)} - {player.name}

        assert own == {player.name}
        assert met - {"prometheus", "day"} == MEETING_PLACES


def test_who_has_no_login_at_the_door_is_not_where_gateways_are(services: dict[str, Service]) -> None:
    directory, broker = services["directory"], services["provisioner"]

    assert directory["networks"]["operators"]["aliases"] == [directory["environment"]["TPS__HTTP__HOST"]]
    assert broker["network_mode"] == "service:broker"
    assert not networks(services["hub"]) & {player.name for player in PLAYERS}
    assert services["prometheus"]["networks"]["operators"]["aliases"] == ["prometheus.operators"]
    assert "--web.listen-address=prometheus.operators:9090" in services["prometheus"]["command"]


def test_nobody_has_more_rights_than_needed(services: dict[str, Service]) -> None:
    for name, each in services.items():
        assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", each["user"]), name
        assert each["read_only"], name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert not each.keys() & {"privileged", "cap_add", "devices", "pid"}, name


def test_everybody_has_limits(services: dict[str, Service]) -> None:
    for name, each in services.items():
        assert each["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name


def test_only_this_machine_reaches_the_published_ports(services: dict[str, Service]) -> None:
    published = {name: each["ports"] for name, each in services.items() if "ports" in each}

    inner = {"grafana": 3000, "hub": Web().port, "hub-standby": Web().port}
    assert published.keys() == {*(player.name for player in PLAYERS), *inner}
    for name, ports in published.items():
        inside = inner.get(name, Http().port)
        assert [re.fullmatch(rf"127\.0\.0\.1:\$\{{\w+:-\d+\}}:{inside}", port) is not None for port in ports] == [True]


def test_every_image_is_named_to_a_version_that_can_be_chosen(services: dict[str, Service]) -> None:
    for name, each in services.items():
        assert re.fullmatch(r"\$\{\w+_IMAGE:-[\w/-]+\}:\$\{\w+_VERSION:-v?\d+\.\d+[\w.-]*\}", each["image"]), name


def test_the_image_of_this_version_is_the_default(root: Path, services: dict[str, Service]) -> None:
    version = re.search(r'VERSION: Final = "([^"]+)"', (root / "hub" / "version.py").read_text("utf-8"))

    assert version
    assert {each["image"] for each in ours(services).values()} == {
        f"${{TPS_IMAGE:-tps}}:${{TPS_VERSION:-{version[1]}}}"
    }


def test_who_runs_once_is_waited_for_to_the_end_and_everybody_else_until_it_is_well(
    services: dict[str, Service],
) -> None:
    for name, each in services.items():
        needed = each.get("depends_on", {})
        for other, condition in needed.items() if isinstance(needed, dict) else ():
            expected = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert condition == {"condition": expected}, f"{name} waits for {other}"
        assert (each["restart"] == "no") == (name in ONCE), name


def test_passwords_are_in_files_only(services: dict[str, Service]) -> None:
    named = [variable for each in services.values() for variable in each.get("environment", {})]

    assert [name for name in named if re.search("PASS|SECRET|TOKEN", name) and not name.endswith("_FILE")] == []


@pytest.mark.parametrize("script", ["compose/secrets.sh", "compose/databases.sh", "sample-day"])
def test_every_script_can_be_read_by_a_plain_shell(root: Path, script: str) -> None:
    file = root / "docker" / script

    assert subprocess.run(["sh", "-n", str(file)], check=False).returncode == 0
    assert file.stat().st_mode & 0o111 == 0o111


def test_passwords_are_made_once_and_only_for_their_owners(root: Path, tmp_path: Path) -> None:
    script = (root / "docker" / "compose" / "secrets.sh").read_text("utf-8").replace("/srv/tps", str(tmp_path))
    words = ["sh", "-c", script.replace("python -c", f"{sys.executable} -c"), "secrets.sh", "directory", "hub", "north"]

    subprocess.run(words, check=True)
    made = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    subprocess.run(words, check=True)

    assert {str(file.relative_to(tmp_path)) for file in made} == {
        *("postgres/password", "grafana/password", "directory/pgpass", "members/hub/pgpass", "members/north/pgpass"),
        "members/hub/pages.password",
        *("members/broker/provisioner.password", "members/broker/provisioner.conf"),
    }
    assert {file: file.read_text() for file in made} == made
    assert {file.stat().st_mode & 0o077 for file in made} == {0}
    assert re.fullmatch(r"postgres:5432:\*:hub:[\w-]{32}\n", made[tmp_path / "members" / "hub" / "pgpass"])


def test_the_broker_can_be_given_a_password_and_a_door_for_its_operator(root: Path, tmp_path: Path) -> None:
    script = (root / "docker" / "compose" / "secrets.sh").read_text("utf-8").replace("/srv/tps", str(tmp_path))
    variables = {"PATH": os.environ["PATH"], "PROVISIONER_PASSWORD": "given", "MANAGEMENT_IP": "0.0.0.0"}

    subprocess.run(["sh", "-c", script.replace("python -c", f"{sys.executable} -c")], env=variables, check=True)

    broker = tmp_path / "members" / "broker"
    assert "default_pass = given\n" in (broker / "provisioner.conf").read_text()
    assert (broker / "service.conf").read_text() == "management.tcp.ip = 0.0.0.0\n"


def test_prometheus_asks_every_process_where_it_listens(root: Path, services: dict[str, Service]) -> None:
    config = yaml.safe_load((root / "docker" / "compose" / "prometheus.yml").read_text("utf-8"))
    targets = {
        target for job in config["scrape_configs"] for part in job["static_configs"] for target in part["targets"]
    }

    lasting = {name for name in ours(services) if name not in ONCE} - {"directory"} | {"directory.operators"}
    assert targets == {f"{name}:{Http().port}" for name in lasting}


def test_alerts_and_dashboard_know_the_measures_of_the_code(root: Path) -> None:
    folder = root / "docker" / "compose"
    rules = yaml.safe_load((folder / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    dashboard = json.loads((folder / "grafana" / "platform.json").read_text("utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]

    used = set(re.findall(r"\btps_\w+", " ".join([*(rule["expr"] for rule in rules), *shown])))

    assert used <= measures(root)
    assert measures(root) - used == {"tps_messages_unconfirmed"}, "only the message box, which is not in it, has it"
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == ["Is it healthy?", "What is waiting?", "Who is silent?"]
