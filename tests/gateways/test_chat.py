"""Messages to a chat channel in Slack's format."""

from datetime import timedelta

from gateways.chat import ChatSettings, SlackChat
from gateways.port import Answer, Attempt, Refused
from statemachines.messages import PostMessage
from tests.gateways.peer import Peer, Says, playing
from tests.gateways.services import chat

PATH = "/services/T1/B1/h00k53cr3t"


async def post(peer: Peer, text: str) -> Answer:
    gateway = SlackChat(ChatSettings(url=peer.url + PATH))
    try:
        return await gateway.post(Attempt("eff_1", PostMessage(text=text), 1, timedelta(seconds=5)))
    finally:
        await gateway.aclose()


async def test_a_message_cannot_call_the_channel_or_make_links() -> None:
    async with playing(chat) as peer:
        await post(peer, "<!channel> buy <https://evil.example|mugs> & jugs")
    assert peer.asked[0].json == {"text": "&lt;!channel&gt; buy &lt;https://evil.example|mugs&gt; &amp; jugs"}


async def test_an_archived_channel_refuses_in_its_own_words() -> None:
    async with playing(chat) as peer:
        assert await post(peer, "refuse") == Refused({"reason": "channel_is_archived"})


async def test_a_refusal_that_repeats_the_address_does_not_give_it_away() -> None:
    async with playing(lambda asked: Says(404, f"nothing at {asked.path} (h00k53cr3t)")) as peer:
        assert await post(peer, "hello") == Refused({"reason": "nothing at /*** (***)"})


async def test_reaching_a_channel_posts_nothing() -> None:
    async with playing(lambda _: Says(405, "")) as peer:
        gateway = SlackChat(ChatSettings(url=peer.url + PATH))
        await gateway.reach(timedelta(seconds=3))
        await gateway.aclose()
    assert [asked.method for asked in peer.asked] == ["HEAD"]
