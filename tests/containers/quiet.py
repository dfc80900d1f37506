"""Stages of the trial on a platform that nobody disturbs; each returns figures, or fails with what was wrong."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from gateways.demo.cast import ALPHA, PLAYERS
from tests.containers.disturbance import announce, clients_of, newest, poll, until_nothing
from tests.containers.site import FILE, HUBS, PAGES, Site

Figures = Mapping[str, str]
BY_REASON: Final = {f"tps_messages_{what}_total" for what in ("failed", "refused", "dead")}


async def starts(site: Site) -> Figures:
    """One command founds the platform and starts it; a second one changes nothing."""
    first = site.timed("up", "--detach", "--wait")
    again = site.timed("up", "--detach", "--wait")
    return {"from nothing to healthy": seconds(first), "the same command again": seconds(again)}


async def day(site: Site) -> Figures:
    """The sample day over REST, each participant checked."""
    begun = time.monotonic()
    text = site.sample_day()
    right = text.count("as it must be")
    assert (right, text.count("WRONG")) == (10, 0), text
    return {"views as they must be": f"{right} of 10", "sample day": seconds(time.monotonic() - begun)}


async def networks(site: Site) -> Figures:
    """F1: a gateway reaches broker, directory and its database, and nobody else, by name or by address."""
    open_ = [("broker", 5671), ("directory", 8443), ("postgres", 5432)]
    shut = [("hub", 8080), ("north", 8080), ("broker", 15672), ("directory", 8080)]
    shut += [(site.address("hub", "platform"), 8080), (site.address("hub", "operators"), 8090)]
    shut += [(site.address("north", "north"), 8080), (site.address("directory", "operators"), 8080)]
    shut += [(site.address("broker", "alpha"), 15672)]
    missing = [each for each in open_ if not site.reaches("alpha", *each)]
    leaking = [each for each in shut if site.reaches("alpha", *each)]
    assert (missing, leaking) == ([], []), f"not reached: {missing}; reached: {leaking}"
    return {"doors open to a gateway": str(len(open_)), "doors shut to it": str(len(shut))}


async def pages(site: Site) -> Figures:
    """F3: the operator logs in at the hub that works, with the password of the file, and sees the day."""
    url, leader = f"http://127.0.0.1:{PAGES[site.leader()]}", site.leader()
    password = site.compose("exec", "-T", leader, "cat", "/srv/tps/members/hub/pages.password").strip()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Origin": url}) as operator:
        async with operator.get(f"{url}/api/overview") as answer:
            assert answer.status == 401, await answer.text()
        async with operator.post(f"{url}/api/login", json={"password": password}) as answer:
            assert answer.status in {200, 204}, await answer.text()
        async with operator.get(f"{url}/api/assets") as answer:
            assert answer.status == 200, await answer.text()
            seen = await answer.text()
    assert ALPHA.id in seen, seen[:2000]
    return {"pages": f"of {leader}, behind their password"}


async def watching(site: Site) -> Figures:
    """Prometheus reads every process, its rules are sound, and each question of the dashboard has an answer."""
    site.compose("--profile", "watch", "up", "--detach", "--wait", "--no-deps", "prometheus")
    checked = site.compose("exec", "-T", "prometheus", "promtool", "check", "config", "/etc/prometheus/prometheus.yml")
    assert "SUCCESS: 12 rules found" in checked, checked
    base = f"http://{site.address('prometheus', 'operators')}:9090/api/v1"
    async with aiohttp.ClientSession() as session:

        async def unread() -> list[str]:
            up = {each["metric"]["instance"] for each in await _asked(session, f"{base}/query?query=up==1")}
            return [f"{len(up)} of 8 processes"] if len(up) != 8 else []

        async def unknown() -> list[str]:
            return sorted(_shown() - set(await _asked(session, f"{base}/label/__name__/values")))

        await until_nothing(unread)
        await until_nothing(unknown)
        alerts = await _asked(session, f"{base}/alerts")
    firing = [each["labels"]["alertname"] for each in alerts if each["state"] == "firing"]
    assert firing == [], alerts
    return {
        "processes read by Prometheus": "8 of 8",
        "measures of the dashboard it knows": f"{len(_shown())} of {len(_shown())}",
        "rules that promtool accepts": "12",
        "alerts firing": "none",
    }


def _shown() -> set[str]:
    """The measures on the dashboard, but those that are there only once something has failed for a reason."""
    dashboard = json.loads((FILE.parent / "compose" / "grafana" / "platform.json").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return set(re.findall(r"\btps_\w+", " ".join(asked))) - BY_REASON


async def disaster(site: Site) -> Figures:
    """The hub's database is gone; it comes back from its backup, and the hub goes on where the backup ended."""
    file, begun = "/srv/tps/members/hub/hub.backup", time.monotonic()
    site.compose("exec", "-T", site.leader(), "tps", "store", "backup", file, "--kind", "hub")
    backed_up = time.monotonic()
    site.compose("stop", *HUBS)
    site.compose(
        "exec", "-T", "postgres", "psql", "-U", "postgres", "-h", "/var/run/postgresql", "-c", "drop database hub"
    )
    site.compose("up", "--no-deps", "databases")
    words = ("store", "restore", file, "--kind", "hub", "--by", "trial", "--why", "its database was dropped")
    restored = site.compose("run", "--rm", "-T", "--no-deps", "hub", *words)
    assert "The chain of the log holds." in restored, restored
    site.compose("up", "--detach", "--wait", "--no-deps", *HUBS)
    ended = time.monotonic()
    site.compose("exec", "-T", site.leader(), "tps", "events", "verify")
    async with clients_of(site.platform()) as clients:
        cursor = await newest(clients, ALPHA.name)
        await announce(clients, hours=60)
        status, items = await poll(clients, ALPHA.name, cursor)
    assert (status, len(items)) == (200, 1), items
    return {"backup": seconds(backed_up - begun), "from stop to restored and healthy": seconds(ended - backed_up)}


async def stops(site: Site) -> Figures:
    """SIGTERM ends every process of ours in good order."""
    names = [*HUBS, "directory", *(player.name for player in PLAYERS)]
    longest = 0.0
    for name in names:
        container = site.container(name)
        begun = time.monotonic()
        site.compose("stop", name)
        longest = max(longest, time.monotonic() - begun)
        code = site.engine.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container).strip()
        assert code == "0", f"{name} ended with {code}"
    down = site.timed("--profile", "watch", "down", "--volumes")
    return {
        "processes stopped with exit code 0": str(len(names)),
        "longest stop": seconds(longest),
        "taken down": seconds(down),
    }


async def _asked(session: aiohttp.ClientSession, url: str) -> Any:  # JSON
    async with session.get(url) as answer:
        found = await answer.json()
    assert found["status"] == "success", found
    data = found["data"]
    return data.get("result", data.get("alerts")) if isinstance(data, dict) else data


def seconds(taken: float) -> str:
    """A figure."""
    return f"{taken:.1f} s"
