"""A module on NATS: commands in, replies and events out, queries. It knows nothing of the business.

Invariant: the sequence of an event in EVT_<module> is its position in the ledger's log, whatever the broker forgot.
"""

import asyncio
import json
import os
import signal
import uuid

import nats
import nats.micro
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from wire import (BINDING, CONSUMER, EVENTS, MODULE, PREFIX, REPLIED, REPLY, Broken, Foreign, Weather, cut, decode,
                  encode, message_headers, now, number, read_headers, read_json, say, keys_of, time_of, write_json)

# After 20 deliveries, ten minutes, whatever fails will not pass by itself.
DELIVERIES_MAX = 20
# What the JetStream API is called in our account: JS.bus.API in one of its own.
JS_API = os.environ.get("JS_API", "$JS.API")
# A broker that lost its data while nobody publishes is noticed after this many seconds.
AUDIT_SECONDS = float(os.environ.get("AUDIT_SECONDS", "5"))
ACK_WAIT_SECONDS = 30
# As the installation makes it: a consumer of another make would be refused by the next coordinator that starts.
ACK_PENDING_MAX = 4096
PAUSE_SECONDS = 0.5
# A reason is a sentence: what quotes a whole message is cut.
REASON_BYTES_MAX = 4096
# An answer to ReadLog stays below half of what a broker carries, so that headers and quoting fit beside it.
PAGE_BYTES_MAX = 512 * 1024
# For tests only: how often weather, a lost reply and a death between commit and reply are played.
FAULTS = {name: int(os.environ.get(name, "0")) for name in ("FAIL_FIRST", "SILENT_FIRST", "CRASH_FIRST")}


def fault_due(name):
    FAULTS[name] -= 1
    return FAULTS[name] >= 0


class Relay:
    def __init__(self, ledger, js):
        self.ledger, self.js, self.cursor, self.wake = ledger, js, None, asyncio.Event()

    async def run(self):
        while True:
            try:
                await self.repair()
                while True:
                    # Cleared first: what is committed while we publish wakes us again.
                    self.wake.clear()
                    await self.publish()
                    try:
                        await asyncio.wait_for(self.wake.wait(), AUDIT_SECONDS)
                    except asyncio.TimeoutError:
                        await self.repair()
            except (APIError, nats.errors.Error, OSError, asyncio.TimeoutError) as why:
                # Not published, published without our hearing of it, or no broker: the next repair asks the stream.
                say(f"relay: {why!r}; looking at the stream again")
                await asyncio.sleep(PAUSE_SECONDS)

    async def publish(self):
        while row := self.ledger.one("SELECT * FROM log WHERE position = ?", self.cursor + 1):
            ack = await self.js.publish(row["subject"], bytes(row["body"]), headers=json.loads(row["headers"]))
            if ack.seq != row["position"]:
                raise Foreign(f"position {row['position']} became sequence {ack.seq} of {EVENTS}")
            self.cursor = row["position"]

    async def repair(self):
        try:
            last = (await self.js.stream_info(EVENTS)).state.last_seq
        except NotFoundError:
            await self.js.add_stream(StreamConfig(
                name=EVENTS, subjects=[f"{PREFIX}.evt.{MODULE}.>"], retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE, deny_delete=True, deny_purge=True, duplicate_window=120))
            last = 0
        if last > self.ledger.head():
            raise Foreign(f"{EVENTS} has sequence {last}, our log ends at {self.ledger.head()}")
        if last > 0:
            try:
                message = await self.js.get_msg(EVENTS, last)
                theirs = {k.lower(): v for k, v in (message.headers or {}).items()}.get("nats-msg-id")
                ours = self.ledger.one("SELECT id FROM log WHERE position = ?", last)["id"]
                if theirs != ours:
                    raise Foreign(f"sequence {last} of {EVENTS} is {theirs}, our log has {ours} there")
            except NotFoundError:
                # Removed by age. That is fine where we knew that it was there, and cannot be verified elsewhere.
                if self.cursor != last:
                    raise Foreign(f"sequence {last} of {EVENTS} cannot be read and compared") from None
        if self.cursor is not None and last < self.cursor:
            say(f"relay: the broker lost events {last + 1} to {self.cursor}; publishing them again")
        self.cursor = last
        await self.publish()


class Module:
    def __init__(self, nc, ledger, handlers, questions):
        self.nc, self.js, self.ledger, self.stale = nc, nc.jetstream(prefix=JS_API), ledger, 0
        self.handlers, self.questions = handlers, questions | {"ReadLog.v1": read_log}
        self.relay = Relay(ledger, self.js)

    async def commands(self):
        while True:
            try:
                consumer = ConsumerConfig(
                    durable_name=CONSUMER, filter_subject=f"{PREFIX}.cmd.{MODULE}.>", ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=ACK_WAIT_SECONDS, max_ack_pending=ACK_PENDING_MAX)
                try:
                    await self.js.consumer_info("CMD", CONSUMER)
                except NotFoundError:
                    await self.js.add_consumer("CMD", consumer)
                pull = await self.js.pull_subscribe_bind(durable=CONSUMER, stream="CMD")
                while True:
                    try:
                        # Every pull ends by itself, so a consumer that is gone is noticed by the next one.
                        messages = await pull.fetch(16, timeout=2)
                    except asyncio.TimeoutError:
                        continue
                    for message in messages:
                        await self.command(message)
            except (APIError, nats.errors.Error, OSError, asyncio.TimeoutError) as why:
                say(f"commands: {why!r}; pulling anew")
                await asyncio.sleep(PAUSE_SECONDS)

    async def command(self, message):
        headers = {}
        try:
            headers = read_headers(message.headers)
            if message.metadata.num_delivered > DELIVERIES_MAX:
                raise Broken(f"still fails after {DELIVERIES_MAX} deliveries", "EXHAUSTED")
            answer = self.answer(message.subject, headers, message.data)
        except Broken as why:
            return await self.park(message, headers, *why.args)
        except Weather as why:
            answer = {"outcome": "retry", "after_ms": 200, "reason": str(why)}
        except Exception as why:
            # A bug, or a commit of which nobody knows whether it happened: it comes again, and reads its answer then.
            say(f"{message.subject} failed: {why!r}")
            return await message.nak(delay=1)
        self.relay.wake.set()
        if answer is None:
            self.stale += 1
            say(f"dropped a command of a replaced coordinator, the {self.stale}. one")
        elif answer["outcome"] == "done" and fault_due("CRASH_FIRST"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif not fault_due("SILENT_FIRST"):
            await self.reply(headers, answer)
        await message.ack()

    def answer(self, subject, headers, body):
        """Decides, durably. None: drop it."""
        command = subject.removeprefix(f"{PREFIX}.cmd.{MODULE}.")
        if command not in self.handlers:
            raise Broken(f"{MODULE} does not answer {command}", "NO_ROUTE")
        try:
            deed_key, _ = keys_of(headers)
            if not headers["ce-sagaid"] or not headers["ce-step"]:
                raise ValueError("ce-sagaid or ce-step is missing")
            if number(headers["ce-epoch"]) is None or not number(headers["ce-attempt"]) or not headers["ce-replyto"]:
                raise ValueError("ce-epoch, ce-attempt or ce-replyto is wrong")
        except (KeyError, ValueError) as why:
            raise Broken(f"headers: {why}") from why
        time_of(headers, "ce-time")
        if headers.get("ce-probe") == "true":
            known = self.ledger.answer(deed_key)
            return self.ledger.known(known, body) if known else {"outcome": "nothing_known"}
        request = read_json(body)
        if not isinstance(request, dict):
            raise Broken("the body of a command is a JSON object")
        if fault_due("FAIL_FIRST"):
            raise Weather("played by FAIL_FIRST")
        return self.ledger.serve(headers, body, lambda ledger, cause: self.handlers[command](ledger, cause, request))

    async def reply(self, headers, answer):
        if not all(headers.get(name) for name in BINDING) or not number(headers["ce-attempt"]):
            raise KeyError("one of the headers that bind a reply is missing or wrong")
        name = f"reply:{headers['ce-attempt']}:{answer['outcome']}"
        ident = str(uuid.uuid5(uuid.UUID(headers["ce-stepkey"]), name))
        out = message_headers(REPLY, headers.get("ce-subject", ""), ident, headers, REPLIED)
        await self.js.publish(headers["ce-replyto"], write_json(answer), headers=out)

    async def park(self, message, headers, reason, code="MALFORMED"):
        """First the dead letter, then the fault, then the end of the message: a crash in between repeats them."""
        meta, reason = message.metadata, cut(str(reason), REASON_BYTES_MAX)
        kept = {k: v for k, v in (message.headers or {}).items() if not k.lower().startswith("nats-")}
        kept |= {
            "dlq-reason": encode(reason), "dlq-subject": message.subject, "dlq-stream": meta.stream,
            "dlq-sequence": str(meta.sequence.stream), "dlq-times": str(meta.num_delivered),
            "dlq-consumer": meta.consumer, "dlq-time": now(),
            "Nats-Msg-Id": f"dlq-{meta.stream}-{meta.sequence.stream}-{meta.consumer}",
        }
        say(f"parked {message.subject}: {reason}")
        await self.js.publish(f"{PREFIX}.dlq.{MODULE}", message.data, headers=kept)
        try:
            await self.reply(headers, {"outcome": "fault", "code": code, "reason": reason})
        except (KeyError, ValueError):
            pass  # Its headers do not name the sender.
        await message.term()

    async def queries(self):
        service = await nats.micro.add_service(self.nc, name=MODULE, version="1.0.0", description="prints proofs")
        for name, query in self.questions.items():
            async def handler(request, query=query):
                try:
                    await request.respond(write_json(query(self.ledger, read_json(request.data))))
                except (Broken, KeyError, TypeError, ValueError) as why:
                    body = write_json({"code": "MALFORMED", "reason": str(why)})
                    await request.respond_error("422", "MALFORMED", body)
            await service.add_endpoint(
                name=name.replace(".", "_"), handler=handler, subject=f"{PREFIX}.qry.{MODULE}.{name}")


def read_log(ledger, request):
    after, limit = int(request["after"]), min(int(request["limit"]), 500)
    events, size = [], 0
    for row in ledger.db.execute("SELECT * FROM log WHERE position > ? ORDER BY position LIMIT ?", (after, limit)):
        headers = json.loads(row["headers"])
        event = {name[3:]: decode(value) for name, value in headers.items() if name.startswith("ce-")}
        event |= {"traceparent": headers["traceparent"]} if "traceparent" in headers else {}
        size += len(row["body"]) + len(row["headers"])
        if events and size > PAGE_BYTES_MAX:
            break
        events.append(event | {"data": json.loads(row["body"])})
    return {"events": events, "head": ledger.head()}


async def quiet(_why):
    pass  # The client reports every attempt to reconnect; the loops above say what matters.


async def run(ledger, handlers, questions):
    """Serves until a signal to stop. Raises Foreign when the stream of events is not ours alone."""
    user = os.environ.get("NATS_USER")
    nc = await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), user=user, password=os.environ.get("NATS_PASSWORD"),
        inbox_prefix=f"_INBOX_{user}" if user else "_INBOX", name=MODULE, max_reconnect_attempts=-1,
        reconnect_time_wait=PAUSE_SECONDS, error_cb=quiet)
    module = Module(nc, ledger, handlers, questions)
    await module.queries()
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    tasks = [asyncio.create_task(work) for work in (module.relay.run(), module.commands(), stop.wait())]
    say("ready")
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in ended:
        task.result()
    await nc.close()
