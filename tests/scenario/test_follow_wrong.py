"""What is wrong with sentinels, members and rights is said in `status`, with whose it is and with
what helps.
"""

import pytest

from tests.scenario.test_follow import HOST, following, front, net, primary_of, redis, status
from tests.sentinels import NAME, SENTINELS, SERVERS, ask
from tests.wait import until

__all__ = ["front", "net", "redis"]  # fixtures

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]
SERVER_WORDS, SENTINEL_WORDS = ": ", "sentinel 10.9.0.2:26401: "


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"PASSWORD_FILE": "w"}, (SERVER_WORDS, "the log-in is refused")),
        ({"SENTINEL_PASSWORD_FILE": "w"}, (SENTINEL_WORDS, "the log-in is refused")),
        ({"USER": "weak", "PASSWORD_FILE": "w"}, (SERVER_WORDS, "the ACL rules +ping +role do")),
        (
            {"SENTINEL_USER": "weak", "SENTINEL_PASSWORD_FILE": "w"},
            (SENTINEL_WORDS, "+sentinel|get-master-addr-by-name"),
        ),
        ({"HEALTH_TLS": "yes"}, (SENTINEL_WORDS, "where it speaks no TLS: health_tls=no")),
        (
            {"FOLLOW": f"sentinel://127.0.0.1:26401,localhost:26401,{HOST}:26402/{NAME}"},
            ("sentinels that have one address count as one",),
        ),
        (
            {
                "": f"tcp://{HOST}:{SERVERS[0]},tcp://{HOST}:{SENTINELS[0]}",
                "HEALTH": "redis-primary",
                "FOLLOW": "off",
            },
            (f"{HOST}:{SENTINELS[0]}: ", "it is a sentinel"),
        ),
        (
            {"": f"tcp://{HOST}:6499"},
            ("the sentinels name", "which is not an endpoint of the route"),
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_status_and_says_whose(net, redis, tmp_path, options, problems):
    primary_of(redis)
    for port in (*SERVERS, *SENTINELS):
        assert ask(net, port, "ACL", "SETUSER", "weak", "on", ">w", "+ping") == "OK"
    (tmp_path / "w").write_text("w")
    given = {key: str(tmp_path / "w") if text == "w" else text for key, text in options.items()}
    plain = given.pop("", None)
    arguments = () if plain is None else (f"REDIS_PORT_6379_TCP={plain}",)
    with following(net, tmp_path, arguments=arguments, **given) as program:
        program.started()
        until(
            lambda: all(one in str(status(tmp_path)["follow"]["problems"]) for one in problems),
            10,
            f"{problems}: {status(tmp_path)['follow']}",
        )
        assert "w'" not in str(program.events)


def test_a_primary_that_cannot_be_reached_from_here_is_said_with_the_remedy(
    front, net, redis, tmp_path
):
    primary_of(redis)
    front.run("nft", "-f", "-", stdin="""
        table inet cut { chain out { type filter hook output priority 0; tcp dport 6401-6403 drop; }
        }""")  # fmt: skip
    try:
        with following(front, tmp_path) as program:
            program.started()
            remedy = "replica-announce-ip of the servers, sentinel announce-ip"
            until(lambda: remedy in str(status(tmp_path)["follow"]["problems"]), 15)
    finally:
        front.run("nft", "delete", "table", "inet", "cut")
