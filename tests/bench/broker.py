"""The embedded broker as a process of its own, so that its work can be told from that of others."""

import asyncio
import sys
from pathlib import Path

import msgspec

from hub.mades.embedded import Component, EmbeddedBroker
from hub.mades.paths import Party
from hub.mades.tls import server_context
from tests.bench.order import HUB, BrokerFiles, say


async def main(files: BrokerFiles) -> None:
    tls = server_context(certificate=Path(files.certificate), key=Path(files.key), authority=Path(files.authority))
    async with EmbeddedBroker(tls=tls) as broker:
        known = {code: Component(Party(party), suffix=suffix) for code, (party, suffix) in files.suffixes.items()}
        broker.provision(known, hub=HUB)
        say({"url": broker.url(HUB)})
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=BrokerFiles)))
