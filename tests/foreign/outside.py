"""A client outside of the system, for tests: starts sagas by CloudEvents, asks modules, and repeats what others say.

    outside.py start binary|structured EVENT   publish a StartSaga to <prefix>.in.shop; EVENT is its JSON in structured form
    outside.py ask SUBJECT BODY                print the answer of <prefix>.qry.SUBJECT
    outside.py dead                            print the dead letters of <prefix>.in.>, one JSON object a line
    outside.py left STREAM                     print how many messages a stream has
    outside.py twice                           publish every command and every reply once more, until it is stopped

It reads NATS_URL, NATS_USER, NATS_PASSWORD, PREFIX, and JS_API where the JetStream API has another name in the account.
"""

import asyncio
import json
import os
import sys
from urllib.parse import quote, unquote

import nats
from nats.js.errors import NotFoundError

PREFIX = os.environ.get("PREFIX", "aicmo")
JS_API = os.environ.get("JS_API", "$JS.API")
# The duplicate window of commands and replies is 100 ms: a repeat that the broker swallowed is tried again after it.
AGAIN_SECONDS = 0.05
ANSWER_SECONDS = 5
# What an attribute of a CloudEvent keeps as it is in a header (docs/wire.md, "Headers"): all that can be seen, but " and %.
PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


async def start(nc, mode, event):
    event = json.loads(event)
    if mode == "structured":
        headers, body = {"Content-Type": "application/cloudevents+json"}, event
    else:
        body = event.pop("data")
        headers = {f"ce-{name}": quote(str(value), safe=PLAIN) for name, value in event.items()}
        headers["Content-Type"] = event.get("datacontenttype", "application/json")
    ack = await nc.jetstream(prefix=JS_API).publish(f"{PREFIX}.in.shop", json.dumps(body, ensure_ascii=False).encode(), headers=headers)
    print(ack.stream, ack.seq)


async def ask(nc, subject, body):
    print((await nc.request(f"{PREFIX}.qry.{subject}", body.encode(), timeout=ANSWER_SECONDS)).data.decode())


async def dead(nc):
    js = nc.jetstream(prefix=JS_API)
    try:
        info = await js.stream_info("DLQ")
    except NotFoundError:
        return
    for sequence in range(max(info.state.first_seq, 1), info.state.last_seq + 1):
        message = await js.get_msg("DLQ", sequence)
        if message.subject.startswith(f"{PREFIX}.dlq.in."):
            headers = {name: unquote(value) for name, value in (message.headers or {}).items()}
            print(json.dumps({"headers": headers, "body": (message.data or b"").decode(errors="replace")}))


async def left(nc, stream):
    print((await nc.jetstream(prefix=JS_API).stream_info(stream)).state.messages)


async def twice(nc):
    js, seen, under_way = nc.jetstream(prefix=JS_API), set(), set()

    async def repeat(message):
        while (await js.publish(message.subject, message.data, headers=message.headers)).duplicate:
            await asyncio.sleep(AGAIN_SECONDS)
        print(message.subject, flush=True)

    async def heard(message):
        ident = (message.headers or {}).get("ce-id")
        if ident not in seen:
            seen.add(ident)
            task = asyncio.create_task(repeat(message))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    for kind in ("cmd", "reply"):
        await nc.subscribe(f"{PREFIX}.{kind}.>", cb=heard)
    await nc.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


async def main(word, *words):
    nc = await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), name="outside", user=os.environ.get("NATS_USER"),
        password=os.environ.get("NATS_PASSWORD"))
    await {"start": start, "ask": ask, "dead": dead, "left": left, "twice": twice}[word](nc, *words)
    await nc.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
