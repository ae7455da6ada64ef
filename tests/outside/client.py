"""The Python client gql: sign-in, two pages, a mutation that is refused, and a subscription."""

import asyncio
import os
import time

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport

BASE = os.environ["OUTSIDE_URL"]
SIGN_IN = gql("mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { message } } }")
PAGE = gql("query($after: String) { customers(first: 2, after: $after) { nodes { id } pageInfo { endCursor } } }")
REFUSED = gql('mutation { createTeam(input: { name: "" }) { team { id } userErrors { field code } } }')
CREATE = gql("mutation($input: CreateTeamInput!) { createTeam(input: $input) { userErrors { message } } }")
WATCH = gql("subscription { changes { position type } }")


async def main() -> None:
    sign_in = {"email": os.environ["OUTSIDE_EMAIL"], "password": os.environ["OUTSIDE_PASSWORD"]}
    async with Client(transport=AIOHTTPTransport(f"{BASE}/graphql")) as session:
        signed_in = await session.execute(SIGN_IN, variable_values={"input": sign_in})
    authorization = {"authorization": f"Bearer {signed_in['signIn']['accessToken']}"}
    http = AIOHTTPTransport(f"{BASE}/graphql", headers=authorization)
    # The schema is fetched, so that every document below is validated by the client as well.
    async with Client(transport=http, fetch_schema_from_transport=True) as session:
        first = (await session.execute(PAGE))["customers"]
        cursor = {"after": first["pageInfo"]["endCursor"]}
        second = (await session.execute(PAGE, variable_values=cursor))["customers"]
        assert len(second["nodes"]) == 2 and first["nodes"][1] != second["nodes"][0], "two pages"
        refused = (await session.execute(REFUSED))["createTeam"]
        assert refused["userErrors"][0]["field"] == ["input", "name"], refused
        socket = WebsocketsTransport(
            f"{BASE.replace('http', 'ws', 1)}/graphql/ws",
            init_payload=authorization,
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )
        async with Client(transport=socket) as watching:

            async def event() -> dict:
                async for result in watching.subscribe(WATCH):
                    return result["changes"]
                raise AssertionError("the subscription ended")

            waiting = asyncio.ensure_future(event())
            await asyncio.sleep(0.5)
            name = {"input": {"name": f"Outside gql {time.time_ns()}"}}
            await session.execute(CREATE, variable_values=name)
            assert (await asyncio.wait_for(waiting, 5))["type"], "an event"
    print("gql: sign-in, two pages, a refused mutation, a subscription")


asyncio.run(main())
