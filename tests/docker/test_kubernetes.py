"""Rendered manifests are valid, restricted, and right about the code: commands, settings, ports, probes (NF2)."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped] # it has no types
import pytest
import yaml

from gateways.demo.cast import PLAYERS
from hub.directory_service.bootstrap import VERBS
from hub.settings import KINDS, Directory, DirectorySettings, Http, HubSettings, describe, load
from hub.values import Role
from hub.version import VERSION
from tests.docker.naming import refused

pytestmark = pytest.mark.slow

Manifest = dict[str, Any]  # Any: a YAML mapping
OVERLAYS: Final = ("demo", "production")
FIRST: Final = "demo/first"
ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docker" / "kubernetes" / "overlays"


RENDERED: Final = Path(__file__).parent / "rendered"
"""Each overlay as kustomize renders it, for machines that have none: `kubectl kustomize FOLDER > FILE`."""


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Everything of an overlay, as it would be applied."""
    text = _rendering(overlay) or _kept(overlay).read_text("utf-8")
    return tuple(yaml.safe_load_all(text))


def _kept(overlay: str) -> Path:
    return RENDERED / f"{overlay.replace('/', '-')}.yaml"


def _rendering(overlay: str) -> str | None:
    """What kustomize makes of an overlay now; None where there is no kustomize."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            run = subprocess.run([*command, str(FOLDER / overlay)], capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            return run.stdout
    return None


def of(overlay: str, *kinds: str) -> list[Manifest]:
    """Manifests of these kinds."""
    return [each for each in rendered(overlay) if each["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Manifest:
    """The one manifest of this kind and name."""
    (found,) = [each for each in of(overlay, kind) if each["metadata"]["name"] == name]
    return found


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Name and pod of everything that runs."""
    for each in of(overlay, "Deployment", "StatefulSet", "Job"):
        yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]


def containers(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Name and container of everything that runs."""
    for name, pod in pods(overlay):
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            yield name, container


@pytest.mark.parametrize("overlay", [*OVERLAYS, FIRST])
def test_what_is_kept_for_machines_without_kustomize_is_what_it_renders(overlay: str) -> None:
    rendering = _rendering(overlay)
    if rendering is None:
        pytest.skip("neither kustomize nor kubectl is installed; the tests look at what was rendered before")

    kept = _kept(overlay).read_text("utf-8")

    assert list(yaml.safe_load_all(kept)) == list(yaml.safe_load_all(rendering))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid_to_the_letter(overlay: str) -> None:
    for each in rendered(overlay):
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_as_restricted_as_its_namespace_demands(overlay: str) -> None:
    (namespace,) = of(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods(overlay):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["runAsUser"] > 10_000, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
    for name, container in containers(overlay):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert container["resources"]["limits"].keys() == {"memory"}, name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_command_and_variable_is_one_of_ours(overlay: str) -> None:
    known = {setting.env for kind in KINDS for setting in describe(kind)}
    ours = [container for _, container in containers(overlay) if re.search(r"(^|/)tps:", container["image"])]

    started = [container["args"] for container in ours if "command" not in container]
    set_ = {variable["name"] for container in ours for variable in container["env"]}

    assert len(started) > 4
    assert [words for words in started if refused(words)] == []
    assert {name for name in set_ if name.startswith("TPS__")} <= known


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_our_image_is_that_of_this_version(overlay: str) -> None:
    images = {container["image"] for _, container in containers(overlay)}

    assert {image.rpartition(":")[2] for image in images if re.search(r"(^|/)tps:", image)} == {VERSION}
    assert all(re.search(r":v?\d+\.\d+", image) for image in images)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_and_probes_are_those_of_the_processes(overlay: str) -> None:
    for each in of(overlay, "Deployment"):
        (container,) = each["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        ready = container["readinessProbe"]
        is_hub = each["metadata"]["name"] == "hub"

        assert ports["http"] == Http().port
        assert ports.get("components", 8443) == Directory(id="45X-TPS-DIR-DEMS").port
        assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}
        assert container["startupProbe"]["exec"] == {"command": ["healthcheck"]}, "a standby has started too"
        expected = (
            {"exec": {"command": ["healthcheck"]}} if is_hub else {"httpGet": {"path": "/health/ready", "port": "http"}}
        )
        assert expected.items() <= ready.items(), "a service leads to the gateway that works, not to its standby"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_log_has_one_at_work_and_one_that_stands_by(overlay: str) -> None:
    replicas = {each["metadata"]["name"]: each["spec"]["replicas"] for each in of(overlay, "Deployment")}
    gateways = {f"{player.name}-gateway": 2 for player in PLAYERS} if overlay == "demo" else {}
    budget = named(overlay, "PodDisruptionBudget", "hub")

    assert replicas == {"directory": 1, "hub": 2, **gateways}
    assert budget["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_migrations_are_jobs_for_every_log(overlay: str) -> None:
    jobs = [each["spec"]["template"]["spec"]["containers"][0].get("args", []) for each in of(overlay, "Job")]
    kinds = [words[3] for words in jobs if words[:2] == ["store", "migrate"]]

    assert sorted(kinds) == ["directory", *(["gateway"] * 5 if overlay == "demo" else []), "hub"]


def test_each_participant_has_its_gateway_on_its_own_folder() -> None:
    for player in PLAYERS:
        each = named("demo", "Deployment", f"{player.name}-gateway")
        (container,) = each["spec"]["template"]["spec"]["containers"]

        assert container["args"] == [VERBS[Role(player.role)]]
        assert container["env"][0]["value"] == f"/srv/tps/members/{player.name}/settings.toml"
        assert container["volumeMounts"][0]["subPath"] == f"members/{player.name}"
        labels = each["spec"]["template"]["metadata"]["labels"]
        service = named("demo", "Service", f"{player.name}-gateway")
        assert service["spec"]["selector"].items() <= labels.items()
        assert service["spec"]["selector"]["tps/participant"] == player.name


def _policies(overlay: str, part: str, way: str) -> list[Manifest]:
    """The rules of one way for pods of a part; a policy without such rules forbids everything else."""
    found: list[Manifest] = []
    for each in of(overlay, "NetworkPolicy"):
        selector = each["spec"]["podSelector"]
        labels = [selector.get("matchLabels", {}).get("tps/part")]
        labels += [value for each_ in selector.get("matchExpressions", ()) for value in each_["values"]]
        found += each["spec"].get(way, []) if part in labels else []
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_f1_nobody_reaches_anybody_unless_it_is_said(overlay: str) -> None:
    everybody = named(overlay, "NetworkPolicy", "default-deny")

    assert everybody["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_f1_a_gateway_reaches_broker_directory_and_database_and_nobody_else() -> None:
    reached = {
        (peer["podSelector"]["matchLabels"]["tps/part"], port["port"])
        for rule in _policies("demo", "gateway", "egress")
        for peer in rule["to"]
        for port in rule["ports"]
    }
    sources = [peer for rule in _policies("demo", "gateway", "ingress") for peer in rule["from"]]

    assert reached == {("broker", 5671), ("directory", 8443), ("database", 5432)}
    assert all(peer.keys() == {"namespaceSelector"} for peer in sources), "another gateway is no client"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_in_a_manifest(overlay: str) -> None:
    assert of(overlay, "Secret") == []
    for name, container in containers(overlay):
        for variable in container["env"]:
            if re.search(r"(PASSWORD|SECRET|TOKEN|DATABASE__URL)$", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], name


def test_what_the_demo_needs_first_is_a_part_of_it() -> None:
    first = {(each["kind"], each["metadata"]["name"]) for each in rendered(FIRST)}

    assert {kind for kind, _ in first} == {"Namespace", "ConfigMap", "PersistentVolumeClaim", "Job"}
    assert first <= {(each["kind"], each["metadata"]["name"]) for each in rendered("demo")}


def test_the_settings_in_production_are_accepted(tmp_path: Path) -> None:
    folder = FOLDER / "production"
    secrets = {"TPS__HUB__SECRET": "x" * 32, "TPS__DATABASE__URL": "postgresql://hub@db.example/hub"}

    hub = load(HubSettings, folder / "hub.toml", secrets)
    directory = load(DirectorySettings, folder / "directory.toml", secrets)

    assert (str(hub.mades.dir), str(directory.directory.dir)) == ("/srv/tps/members/hub", "/srv/tps/directory")
    assert directory.directory.port == 8443
