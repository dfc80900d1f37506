"""What RabbitMQ's management interface refuses is told in words that help."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.mades.management import managing
from hub.ports import Refused

DEAD_LETTERS_UNMINDED = """{"error":"bad_request","reason":"Request to node tps@localhost failed with {'EXIT',
 {{noproc,{gen_server,call,[rabbit_fifo_dlx_sup,{start_child,[]},infinity]}}}}"}"""


async def refusal_of(answer: web.Response) -> str:
    """What is told when the broker answers the declaration of a queue so."""

    async def refuse(_: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_put("/api/queues/mades/letters", refuse)
    async with TestServer(app) as server, managing(f"http://operator:secret@{server.host}:{server.port}") as operator:
        with pytest.raises(Refused) as refused:
            await operator.put("queues", "mades", "letters")
    return str(refused.value)


async def test_a_node_that_minds_no_dead_letters_any_more_is_to_be_restarted() -> None:
    told = await refusal_of(web.Response(status=400, text=DEAD_LETTERS_UNMINDED))

    assert told == (
        "The broker cannot make queues/mades/letters: the part of RabbitMQ that minds dead letters has ended. "
        "Restart the node; messages that it confirmed stay."
    )


async def test_any_other_refusal_is_told_in_the_brokers_words() -> None:
    told = await refusal_of(web.Response(status=400, text="inequivalent arg"))

    assert told == "The broker refuses PUT queues/mades/letters (400): inequivalent arg"


async def test_a_wrong_password_is_told_without_the_brokers_words() -> None:
    told = await refusal_of(web.Response(status=401, text="not_authorised"))

    assert told == "The broker refuses this user. Expected: an administrator's name and password."
