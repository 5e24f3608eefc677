#!/usr/bin/env python3
"""Plays the coordinator and the installation against a module that speaks docs/wire.md, on a real nats-server.

    conformance.py PROFILE.json --server /usr/sbin/nats-server [--server ...]

Prints one line for each check and ends with 1 at the first that fails. The profile says how the module is started, and
what to ask it; see README.md beside this file. The module runs with the permissions of docs/wire.md and no others.
"""

import argparse
import asyncio
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from urllib.parse import unquote

import jsonschema
import nats
from nats.errors import NoRespondersError
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

PREFIX = "acme.test"  # with a dot, because a prefix may have one
PATIENCE = 20  # seconds until something that must happen has not happened
QUIET = 1.5  # seconds in which something that must not happen would have happened
ACK_WAIT = 2
STEP = 'é[2]/"50%" ~'  # everything that headers have to code
GROUP = f"{PREFIX}.reply.g07"


class Failed(Exception):
    pass


def must(holds, what, seen=""):
    if not holds:
        raise Failed(f"{what}{': ' if seen != '' else ''}{seen}")


async def until(what, probe):
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await probe()
        if found:
            return found
        must(time.monotonic() < deadline, f"not within {PATIENCE} s: {what}")
        await asyncio.sleep(0.05)


def encode(text):
    return "".join(chr(b) if 0x21 <= b <= 0x7E and b not in b'"%' else f"%{b:02X}" for b in str(text).encode())


def step_key(saga, step, direction, round_=1):
    return uuid.uuid5(saga, f"{step}:{direction}" if round_ == 1 else f"{step}~{round_}:{direction}")


def lower(headers):
    return {name.lower(): value for name, value in (headers or {}).items()}


class Server:
    """A real server on a port of its own."""

    def __init__(self, binary, folder, module):
        self.binary, self.folder, self.data, self.process = binary, folder, folder / "js", None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        m, p = module, PREFIX
        publish = [
            f"{p}.evt.{m}.>", f"{p}.reply.*.{m}", f"{p}.dlq.{m}", f"$JS.API.STREAM.INFO.EVT_{m}",
            f"$JS.API.STREAM.MSG.GET.EVT_{m}", f"$JS.API.CONSUMER.INFO.CMD.cmd-{m}",
            f"$JS.API.CONSUMER.MSG.NEXT.CMD.cmd-{m}", f"$JS.ACK.CMD.cmd-{m}.>"]
        subscribe = [f"_INBOX_{m}.>", f"{p}.qry.{m}.>", "$SRV.>"]
        (folder / "nats.conf").write_text(f"""
            listen: "127.0.0.1:{self.port}"
            jetstream {{ store_dir: "{self.data}" }}
            authorization {{ users: [
                {{ user: "installation", password: "i" }}
                {{ user: "{m}", password: "m", permissions: {{
                    publish: {json.dumps(publish)}, subscribe: {json.dumps(subscribe)}, allow_responses: true }} }}
            ] }}""")

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "-c", self.folder / "nats.conf"], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                must(time.monotonic() < deadline, "the server does not start", self.folder / "server.log")
                time.sleep(0.05)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class World:
    """One server, one module with one ledger, and the coordinator that is played here."""

    def __init__(self, profile, where, binary, folder):
        self.profile, self.where, self.folder = profile, where, folder
        self.module, self.process, self.nc, self.js = profile["module"], None, None, None
        self.server = Server(binary, folder, self.module)
        self.replies, self.events = [], f"EVT_{self.module}"

    # -- the installation

    async def install(self):
        work = {"retention": RetentionPolicy.WORK_QUEUE, "storage": StorageType.FILE}
        keep = {"retention": RetentionPolicy.LIMITS, "storage": StorageType.FILE}
        for config in [
            StreamConfig(name="CMD", subjects=[f"{PREFIX}.cmd.>"], max_age=7 * 86400, duplicate_window=0.1, **work),
            StreamConfig(name="RPL", subjects=[f"{PREFIX}.reply.>"], duplicate_window=0.1, **work),
            StreamConfig(name="DLQ", subjects=[f"{PREFIX}.dlq.>"], **keep),
            StreamConfig(name=self.events, subjects=[f"{PREFIX}.evt.{self.module}.>"], deny_delete=True,
                         deny_purge=True, duplicate_window=120, **keep),
        ]:
            await self.js.add_stream(config)
        await self.js.add_consumer("CMD", ConsumerConfig(
            durable_name=f"cmd-{self.module}", filter_subject=f"{PREFIX}.cmd.{self.module}.>",
            ack_policy=AckPolicy.EXPLICIT, ack_wait=ACK_WAIT))

    async def connect(self):
        async def quiet(_why):
            pass

        async def keep(message):
            self.replies.append((lower(message.headers), message.data, message.subject))

        self.nc = await nats.connect(
            f"nats://127.0.0.1:{self.server.port}", user="installation", password="i", error_cb=quiet,
            max_reconnect_attempts=-1, reconnect_time_wait=0.1)
        self.js = self.nc.jetstream(timeout=2)
        # Beside JetStream, which drops repeated replies: here every one is seen.
        await self.nc.subscribe(f"{PREFIX}.reply.>", cb=keep)

    async def again(self):
        """The server is back: a connection that surely belongs to it."""
        await self.nc.close()
        await self.connect()

    def start(self, **faults):
        env = os.environ | {
            "NATS_URL": f"nats://127.0.0.1:{self.server.port}", "NATS_USER": self.module, "NATS_PASSWORD": "m",
            "PREFIX": PREFIX, "LEDGER": str(self.folder / "ledger"), "AUDIT_SECONDS": "0.5", "PYTHONUNBUFFERED": "1",
        } | {name: str(count) for name, count in faults.items()}
        with open(self.folder / "module.log", "ab") as log:
            self.process = subprocess.Popen(self.profile["run"], cwd=self.where, env=env, stdout=log, stderr=log)

    def stop(self, sign=signal.SIGKILL):
        if self.process:
            self.process.send_signal(sign)
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise Failed(f"does not end after {sign.name}") from None
            self.process = None

    def restart(self, **faults):
        self.stop()
        self.start(**faults)

    # -- the coordinator

    async def send(self, saga, *, step=STEP, direction="do", attempt=1, epoch=1, body=None, probe=False, name=None,
                   copy="", round_=1, **changed):
        name = name or self.profile["do" if direction == "do" else "undo"]
        key, deed = step_key(saga, step, direction, round_), step_key(saga, step, "do", round_)
        counter = step_key(saga, step, "undo" if direction == "do" else "do", round_)
        default = self.profile["good" if direction == "do" else "undo_request"]
        raw = body if isinstance(body, bytes) else fill(default if body is None else body, deed)
        ident = uuid.uuid5(key, f"epoch:{epoch}:attempt:{attempt}" + (":probe" if probe else ""))
        attributes = {
            "specversion": "1.0", "id": ident, "source": f"/{PREFIX.replace('.', '/')}/orchestration",
            "type": f"{self.module}.{name}", "subject": f"orchestration_saga-{saga}",
            "time": "2026-03-02T10:15:00.123456Z", "datacontenttype": "application/json",
            "dataschema": f"schemas/{self.module}/{name.replace('.', '.command.')}.json", "correlationid": saga,
            "causationid": key, "actorkind": "saga", "actorid": saga, "sagaid": saga, "step": step, "stepkey": key,
            "direction": direction, "attempt": attempt, "epoch": epoch, "replyto": f"{GROUP}.{self.module}",
        } | ({"probe": "true"} if probe else {}) | ({"counterkey": counter} if round_ > 1 or copy else {}) | changed
        headers = {f"ce-{name}": encode(value) for name, value in attributes.items()}
        # Some clients write names in another case; a module reads them all.
        headers["CE-Step"] = headers.pop("ce-step")
        headers |= {"Nats-Msg-Id": f"{ident}{copy}", "Content-Type": "application/json",
                    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        return await self.js.publish(f"{PREFIX}.cmd.{self.module}.{name}", raw, headers=headers)

    def said(self, saga, step=STEP, direction="do", round_=1):
        """Every reply about one deed."""
        key = str(step_key(saga, step, direction, round_))
        return [reply for reply in self.replies if reply[0].get("ce-stepkey") == key]

    async def ask(self, saga, **what):
        """Sends and waits for one more reply; checks its headers, and gives its body."""
        step, direction = what.get("step", STEP), what.get("direction", "do")
        round_ = what.get("round_", 1)
        before = len(self.said(saga, step, direction, round_))
        await self.send(saga, **what)

        async def answered():
            return self.said(saga, step, direction, round_)[before:]
        headers, raw, subject = (await until(f"a reply to {direction} of {step}", answered))[0]
        body = json.loads(raw)
        attempt = str(what.get("attempt", 1))
        key = step_key(saga, step, direction, round_)
        expected = {
            "ce-specversion": "1.0", "ce-id": str(uuid.uuid5(key, f"reply:{attempt}:{body['outcome']}")),
            "ce-source": f"/{PREFIX.replace('.', '/')}/{self.module}", "ce-type": "orchestration.Reply.v1",
            "ce-subject": f"orchestration_saga-{saga}", "ce-datacontenttype": "application/json",
            "ce-correlationid": str(saga), "ce-causationid": str(key),
            "ce-sagaid": str(saga), "ce-step": encode(step), "ce-stepkey": str(key), "ce-direction": direction,
            "ce-attempt": attempt, "content-type": "application/json",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        }
        must("nats-msg-id" not in headers, "a reply has no Nats-Msg-Id: a neighbour could take it first", headers)
        for name, value in expected.items():
            must(headers.get(name) == value, f"header {name} of the reply should be {value!r}", headers.get(name))
        must(headers.get("ce-time", "").endswith("Z"), "ce-time of the reply is not in UTC", headers.get("ce-time"))
        must(subject == f"{GROUP}.{self.module}", "the reply went to", subject)
        return body

    async def log(self):
        """The stream of events: (subject, headers, body) by sequence."""
        state = (await self.js.stream_info(self.events)).state
        found = {}
        for seq in range(1, state.last_seq + 1):
            message = await self.js.get_msg(self.events, seq)
            found[seq] = (message.subject, lower(message.headers), message.data)
        return found

    async def whole(self):
        """The stream of events, once it holds everything that the module has."""
        async def caught_up():
            _, page = await self.question("ReadLog.v1", {"after": 0, "limit": 1})
            log = await self.log()
            return log if len(log) == page["head"] else None
        return await until("the stream holds the whole log", caught_up)

    async def of(self, saga):
        return [event for event in (await self.whole()).values() if event[1].get("ce-sagaid") == str(saga)]

    async def settled(self):
        """Nothing is left in the queue and nothing is out."""
        async def empty():
            info = await self.js.consumer_info("CMD", f"cmd-{self.module}")
            return info.num_pending == 0 and info.num_ack_pending == 0
        await until("every command is acknowledged", empty)

    async def letters(self):
        try:
            state = (await self.js.stream_info("DLQ")).state
            return [await self.js.get_msg("DLQ", seq) for seq in range(1, state.last_seq + 1)]
        except NotFoundError:
            return []

    async def question(self, name, request):
        """Asks until the query is served; the answer, or the headers of a refusal."""
        async def asked():
            try:
                raw = request if isinstance(request, bytes) else json.dumps(request).encode()
                return await self.nc.request(f"{PREFIX}.qry.{self.module}.{name}", raw, timeout=2)
            except (NoRespondersError, asyncio.TimeoutError):
                return None
        message = await until(f"an answer to {name}", asked)
        headers = lower(message.headers)
        return (headers if "nats-service-error-code" in headers else None), json.loads(message.data)


def fill(template, deed):
    return json.dumps(template, ensure_ascii=False, separators=(",", ":")).replace("$KEY", str(deed)).encode()


def filled(template, saga, step=STEP):
    return json.loads(fill(template, step_key(saga, step, "do")))


# ---- the checks, in order; each has its own sagas -------------------------------------------------------------------

async def does_what_it_is_asked(w):
    saga = uuid.uuid4()
    answer = await w.ask(saga)
    must(answer == {"outcome": "done", "output": filled(w.profile["reply"], saga)}, "the reply is", answer)

    async def published():
        return await w.of(saga)
    (subject, headers, body), = await until("the event is published", published)
    seq = int(headers["ce-position"])
    event, stream = w.profile["events"][0], headers["ce-subject"]
    part = hashlib.sha256(stream.encode()).digest()[0] % 64
    must(stream.split("-")[0] == w.profile["category"], "the stream of the event is", stream)
    must(subject == f"{PREFIX}.evt.{w.module}.{w.profile['category']}.{event}.p{part:02}", "its subject is", subject)
    expected = {
        "ce-specversion": "1.0", "ce-type": f"{w.module}.{event}", "ce-streamversion": "1", "ce-position": str(seq),
        "ce-source": f"/{PREFIX.replace('.', '/')}/{w.module}", "ce-datacontenttype": "application/json",
        "ce-dataschema": f"schemas/{w.module}/{event}.json", "ce-correlationid": str(saga), "ce-sagaid": str(saga),
        "ce-step": encode(STEP), "ce-stepkey": str(step_key(saga, STEP, "do")),
        "ce-actorkind": "saga", "nats-msg-id": headers.get("ce-id"), "nats-expected-stream": w.events,
        "nats-expected-last-sequence": str(seq - 1), "content-type": "application/json",
    }
    for name, value in expected.items():
        must(headers.get(name) == value, f"header {name} of the event should be {value!r}", headers.get(name))
    check_schema(w, f"{event}.json", json.loads(body))
    await w.settled()


async def gives_a_repeated_command_the_same_answer_and_one_effect(w):
    saga = uuid.uuid4()
    first = await w.ask(saga)
    must(await w.ask(saga, attempt=2) == first, "the second attempt was answered otherwise")
    # The same message once more, past the broker's own memory: replies repeat, effects do not.
    must(await w.ask(saga, copy="-copy") == first, "the copy was answered otherwise")
    await w.settled()
    must(len(await w.of(saga)) == 1, "it took effect more than once")


async def serves_a_redelivery(w):
    """A process took the command and fell over before it acknowledged."""
    w.stop()
    saga = uuid.uuid4()
    await w.settled()
    await w.send(saga)
    pull = await w.js.pull_subscribe_bind(durable=f"cmd-{w.module}", stream="CMD")
    must(len(await pull.fetch(1, timeout=5)) == 1, "the command is not in the queue")
    w.start()

    async def answered():
        return w.said(saga)
    await until("a reply to the redelivered command", answered)
    await w.settled()
    must(len(await w.of(saga)) == 1, "it took effect not once")


async def takes_back_what_it_did(w):
    saga = uuid.uuid4()
    await w.ask(saga)
    undone = await w.ask(saga, direction="undo")
    must(undone == {"outcome": "done", "output": None}, "the undo was answered", undone)
    must(await w.ask(saga, direction="undo", attempt=2) == undone, "the second undo was answered otherwise")

    async def both():
        found = await w.of(saga)
        return found if len(found) == 2 else None
    events = await until("both events are published", both)
    types = [headers["ce-type"] for _, headers, _ in events]
    must(types == [f"{w.module}.{event}" for event in w.profile["events"]], "the events are", types)
    must(events[1][1]["ce-streamversion"] == "2", "the second event of the story has another version")
    must(events[1][1]["ce-stepkey"] == str(step_key(saga, STEP, "undo")), "the key of the second event is wrong")
    check_schema(w, f"{w.profile['events'][1]}.json", json.loads(events[1][2]))
    late = await w.ask(saga, attempt=3)
    must(late["outcome"] == "done", "a deed that is known is answered whatever came after", late)
    must(len(await w.of(saga)) == 2, "the repeated deed took effect after its undo")


async def stops_a_deed_that_comes_after_its_undo(w):
    saga = uuid.uuid4()
    empty = await w.ask(saga, direction="undo")
    must(empty == {"outcome": "done", "output": "nothing_to_undo"}, "the undo of nothing was answered", empty)
    late = await w.ask(saga)
    must(late["outcome"] == "refused" and late["code"] == "TOMBSTONED", "the late deed was answered", late)
    must(await w.ask(saga, attempt=2) == late, "the second late deed was answered otherwise")
    await w.settled()
    must(await w.of(saga) == [], "the late deed took effect")


async def refuses_for_business_reasons(w):
    saga = uuid.uuid4()
    no = await w.ask(saga, body=w.profile["refused"])
    must(no["outcome"] == "refused" and no["code"] == w.profile["refusal"] and no["reason"], "the answer is", no)
    must(await w.ask(saga, body=w.profile["refused"], attempt=2) == no, "the second answer is another one")
    undone = await w.ask(saga, direction="undo")
    must(undone == {"outcome": "done", "output": "nothing_to_undo"}, "the undo of a refusal was answered", undone)
    await w.settled()
    must(await w.of(saga) == [], "a refusal took effect")


async def refuses_another_payload_under_a_known_key(w):
    saga = uuid.uuid4()
    first = await w.ask(saga)
    other = await w.ask(saga, body=w.profile["other"], attempt=2)
    must(other["outcome"] == "refused" and other["code"] == "KEY_REUSED", "the other payload was answered", other)
    must(await w.ask(saga, attempt=3) == first, "the first answer was forgotten")
    must(len(await w.of(saga)) == 1, "both took effect")


async def takes_a_further_round_for_another_deed(w):
    """Its keys cannot be computed from the path of the step: they are in the headers."""
    saga = uuid.uuid4()
    first = await w.ask(saga)
    second = await w.ask(saga, round_=2)
    must(second["outcome"] == "done" and second != first, "the second round was answered", second)
    undone = await w.ask(saga, direction="undo", round_=2)
    must(undone == {"outcome": "done", "output": None}, "the undo of the second round was answered", undone)
    empty = await w.ask(saga, direction="undo", round_=3)
    must(empty == {"outcome": "done", "output": "nothing_to_undo"}, "the undo of no round was answered", empty)
    late = await w.ask(saga, round_=3)
    must(late["outcome"] == "refused" and late["code"] == "TOMBSTONED", "the late third round was answered", late)
    must(await w.ask(saga, attempt=2) == first, "the first round was touched")
    must(len(await w.of(saga)) == 3, "the rounds did not take effect once each")


async def drops_commands_of_replaced_coordinators(w):
    saga = uuid.uuid4()
    first = await w.ask(saga, step="a", epoch=5)
    await w.send(saga, step="b", epoch=4)
    await w.settled()
    await asyncio.sleep(QUIET)
    must(w.said(saga, "b") == [], "an old epoch was answered", w.said(saga, "b"))
    must(len(await w.of(saga)) == 1, "an old epoch took effect")
    must(await w.ask(saga, step="a", epoch=4, attempt=2) == first, "a known answer was not given to an old epoch")
    must((await w.ask(saga, step="b", epoch=5))["outcome"] == "done", "the drop was remembered")


async def leaves_what_is_too_late(w):
    saga, over, soon = uuid.uuid4(), "2026-03-02T10:15:30.123456Z", "9999-12-31T23:59:59.999999Z"
    late = await w.ask(saga, deadline=over)
    must(late["outcome"] == "retry" and late["after_ms"] == 0 and late["reason"].startswith("EXPIRED"),
         "a command past its deadline was answered", late)
    await w.settled()
    must(await w.of(saga) == [], "a command past its deadline took effect")
    first = await w.ask(saga, deadline=soon, attempt=2)
    must(first["outcome"] == "done", "the refusal for lateness was remembered", first)
    must(await w.ask(saga, deadline=over, attempt=3) == first, "a known answer was not given past the deadline")
    undone = await w.ask(saga, direction="undo", deadline=over)
    must(undone["outcome"] == "done", "an undo was not carried out because it is late", undone)


async def answers_probes_from_memory_only(w):
    saga = uuid.uuid4()
    nothing = await w.ask(saga, probe=True, epoch=9)
    must(nothing == {"outcome": "nothing_known"}, "the probe of nothing was answered", nothing)
    first = await w.ask(saga, epoch=2)
    must(first["outcome"] == "done", "the probe left something behind", first)
    must(await w.ask(saga, probe=True, epoch=1, attempt=2) == first, "the probe found another answer")
    other = await w.ask(saga, probe=True, attempt=3, body=w.profile["other"])
    must(other.get("code") == "KEY_REUSED", "the probe of another payload was answered", other)
    await w.settled()
    must(len(await w.of(saga)) == 1, "a probe took effect")


async def passes_weather_on_and_remembers_nothing(w):
    w.restart(FAIL_FIRST=2)
    saga = uuid.uuid4()
    for attempt in (1, 2):
        weather = await w.ask(saga, attempt=attempt)
        must(weather["outcome"] == "retry" and weather["after_ms"] >= 0 and weather["reason"], "weather is", weather)
    must((await w.ask(saga, attempt=3))["outcome"] == "done", "the third attempt is not done")
    await w.settled()
    must(len(await w.of(saga)) == 1, "it took effect not once")


async def remembers_what_it_could_not_say(w):
    w.restart(SILENT_FIRST=1)
    saga = uuid.uuid4()
    await w.send(saga)
    await w.settled()
    must(w.said(saga) == [], "the fault was not injected: a reply came", w.said(saga))
    must((await w.ask(saga, probe=True))["outcome"] == "done", "the probe does not find what was done")
    must(len(await w.of(saga)) == 1, "it took effect not once")


async def survives_death_between_commit_and_reply(w):
    w.restart(CRASH_FIRST=1)
    saga = uuid.uuid4()
    await w.send(saga)

    async def dead():
        return w.process.poll() is not None
    await until("the module dies", dead)
    must(w.said(saga) == [], "the fault was not injected: a reply came")
    w.start()

    async def answered():
        return w.said(saga)
    await until("a reply after the restart", answered)
    must(json.loads(w.said(saga)[0][1])["outcome"] == "done", "the answer is", w.said(saga)[0][1])
    await w.settled()

    async def published():
        return await w.of(saga)
    must(len(await until("the event is published", published)) == 1, "it took effect not once")


async def puts_aside_what_it_cannot_handle(w):
    twice = b'{"a":1,"a":2}'
    cases = [
        ("an unknown command", {"name": "Yodel.v1"}, "NO_ROUTE"),
        ("an unknown version", {"name": w.profile["do"].split(".")[0] + ".v99"}, "NO_ROUTE"),
        ("broken JSON", {"body": b'{"copies": '}, "MALFORMED"),
        ("a key that stands twice", {"body": twice}, "MALFORMED"),
        ("too deep", {"body": b"[" * 70 + b"]" * 70}, "MALFORMED"),
        ("another request", {"body": w.profile["wrong"]}, "MALFORMED"),
        ("no object", {"body": b"null"}, "MALFORMED"),
        ("its fields as a list", {"body": list(w.profile["good"].values())}, "MALFORMED"),
        ("a step key that is none", {"stepkey": "yes"}, None),
        ("no step key", {"stepkey": ""}, None),
        ("no step", {"step": ""}, None),
        ("no attempt", {"attempt": ""}, None),
        ("an attempt with a sign", {"attempt": "+1"}, None),
        ("an attempt with a zero in front", {"attempt": "01"}, None),
        ("no direction", {"direction": ""}, None),
        ("a deadline that is no time", {"deadline": "tomorrow"}, "MALFORMED"),
        ("a time that is none", {"time": "yesterday"}, "MALFORMED"),
        ("an epoch with a sign", {"epoch": "+1"}, "MALFORMED"),
        ("an epoch with a zero in front", {"epoch": "01"}, "MALFORMED"),
        ("a long epoch", {"epoch": "x" * 6000}, "MALFORMED"),
    ]
    unanswerable = set()
    for what, change, code in cases:
        saga, before = uuid.uuid4(), len(await w.letters())
        ack = await w.send(saga, **change)

        async def parked():
            return (await w.letters())[before:]
        letter = (await until(f"a dead letter for {what}", parked))[0]
        headers = lower(letter.headers)
        must(letter.subject == f"{PREFIX}.dlq.{w.module}", f"{what}: the dead letter lies in", letter.subject)
        expected = {"dlq-stream": "CMD", "dlq-sequence": str(ack.seq), "dlq-consumer": f"cmd-{w.module}",
                    "dlq-times": "1", "nats-msg-id": f"dlq-CMD-{ack.seq}-cmd-{w.module}", "ce-sagaid": str(saga)}
        for name, value in expected.items():
            must(headers.get(name) == value, f"{what}: header {name} should be {value!r}", headers.get(name))
        must(unquote(headers.get("dlq-reason", "")) and headers.get("dlq-time", "").endswith("Z"), f"{what}: no reason")
        must(headers.get("dlq-subject", "").startswith(f"{PREFIX}.cmd.{w.module}."), f"{what}: dlq-subject is wrong")
        must(len(unquote(headers["dlq-reason"]).encode()) <= 4096, f"{what}: the reason is too long")
        must("nats-expected-stream" not in headers, f"{what}: headers of the broker were copied")
        if isinstance(change.get("body"), bytes):
            must(letter.data == change["body"], f"{what}: the bytes changed", letter.data)

        if code is None:
            # Nothing would bind a fault: without one of the five headers nobody could tell what it answers.
            unanswerable.add(str(saga))
            continue

        async def told():
            return [r for r in w.replies if r[0].get("ce-sagaid") == str(saga)]
        fault = json.loads((await until(f"a fault for {what}", told))[0][1])
        must(fault["outcome"] == "fault" and fault["code"] == code and fault["reason"], f"{what}: the reply is", fault)
        await w.settled()
        must(await w.of(saga) == [], f"{what} took effect")
    must((await w.ask(uuid.uuid4()))["outcome"] == "done", "after dead letters nothing is done any more")
    answered = [r for r in w.replies if r[0].get("ce-sagaid") in unanswerable]
    must(not answered, "a command that cannot be answered was answered", answered)
    must(not [saga for saga in unanswerable if await w.of(saga)], "a command that cannot be answered took effect")


async def answers_queries(w):
    saga = uuid.uuid4()
    await w.ask(saga)
    no, found = await w.question(w.profile["query"], {})
    must(no is None and str(step_key(saga, STEP, "do")) in json.dumps(found), "the query does not show it", found)
    no, body = await w.question(w.profile["query"], b"{")
    must(no and no["nats-service-error-code"] == "422" and body["code"] and body["reason"], "a broken question", body)


async def hands_out_its_log(w):
    log = await w.whole()
    seen = []
    while True:
        _, page = await w.question("ReadLog.v1", {"after": len(seen), "limit": 3})
        must(len(page["events"]) <= 3 and page["head"] == len(log), "the page is wrong", page)
        if not page["events"]:
            break
        seen += page["events"]
    must(len(seen) == len(log), "the pages hold", f"{len(seen)} of {len(log)} events")
    for seq, (_, headers, body) in log.items():
        event = seen[seq - 1]
        must(event["data"] == json.loads(body), f"event {seq} has other data", event)
        for name, value in headers.items():
            if name.startswith("ce-"):
                must(str(event.get(name[3:])) == unquote(value), f"event {seq}: {name[3:]} is", event.get(name[3:]))


async def goes_on_when_its_consumer_is_deleted(w):
    await w.js.delete_consumer("CMD", f"cmd-{w.module}")
    await asyncio.sleep(QUIET)
    await w.install()
    must((await w.ask(uuid.uuid4()))["outcome"] == "done", "nothing is done any more")


async def goes_on_after_the_broker_died(w):
    w.server.kill()
    w.server.start()
    await w.again()
    must((await w.ask(uuid.uuid4()))["outcome"] == "done", "nothing is done any more")


async def fills_a_broker_that_lost_everything(w):
    before = await w.whole()
    must(len(before) > 5, "there is too little to lose", len(before))
    w.server.kill()
    shutil.rmtree(w.server.data)
    w.server.start()
    await w.again()
    await w.install()

    async def filled_again():
        return await w.log() if (await w.js.stream_info(w.events)).state.last_seq >= len(before) else None
    after = await until("the whole log is published again", filled_again)
    other = [seq for seq in before if after[seq] != before[seq]]
    must(not other and len(after) == len(before), "events are not the same, byte for byte, under the same sequences", other)
    must((await w.ask(uuid.uuid4()))["outcome"] == "done", "nothing is done any more")


async def repairs_a_broker_that_went_back_in_time(w):
    await w.whole()
    w.server.kill()
    copy = w.folder / "copy"
    shutil.copytree(w.server.data, copy)
    w.server.start()
    await w.again()
    old = len(await w.log())
    for _ in range(3):
        await w.ask(uuid.uuid4())

    async def three():
        log = await w.log()
        return log if len(log) == old + 3 else None
    before = await until("three more events", three)
    w.server.kill()
    shutil.rmtree(w.server.data)
    shutil.move(copy, w.server.data)
    w.server.start()
    await w.again()
    must((await w.ask(uuid.uuid4()))["outcome"] == "done", "nothing is done any more")

    async def repaired():
        log = await w.log()
        return log if len(log) == old + 4 else None
    after = await until("what was lost is published again", repaired)
    must({seq: after[seq] for seq in before} == before, "other events stand there now")


async def ends_when_it_is_told_to(w):
    w.stop(signal.SIGTERM)
    w.start()
    must((await w.ask(uuid.uuid4()))["outcome"] == "done", "nothing is done after a restart")


async def stops_loudly_at_a_foreign_message(w):
    saga = uuid.uuid4()
    before, at = len(await w.whole()), (w.folder / "module.log").stat().st_size
    foreign = await w.js.publish(f"{PREFIX}.evt.{w.module}.{w.profile['category']}.Fake.v1.p00", b"{}")

    async def stopped():
        return w.process.poll() is not None
    await until("the module stops", stopped)
    must(w.process.returncode not in (0, None), "it ended as if all were well", w.process.returncode)
    said = (w.folder / "module.log").read_bytes()[at:].decode()
    must(str(foreign.seq) in said, "it does not say which message is foreign", said)
    w.process = None
    # Started again, it stops again: nothing was imported, nothing deleted.
    w.start()
    await until("the module stops again", stopped)
    must(len(await w.log()) == before + 1, "the stream was changed")


CHECKS = [
    does_what_it_is_asked, gives_a_repeated_command_the_same_answer_and_one_effect, serves_a_redelivery,
    takes_back_what_it_did, stops_a_deed_that_comes_after_its_undo, refuses_for_business_reasons,
    refuses_another_payload_under_a_known_key, takes_a_further_round_for_another_deed,
    drops_commands_of_replaced_coordinators, leaves_what_is_too_late, answers_probes_from_memory_only,
    passes_weather_on_and_remembers_nothing, remembers_what_it_could_not_say,
    survives_death_between_commit_and_reply, puts_aside_what_it_cannot_handle, answers_queries, hands_out_its_log,
    goes_on_when_its_consumer_is_deleted, goes_on_after_the_broker_died, fills_a_broker_that_lost_everything,
    repairs_a_broker_that_went_back_in_time, ends_when_it_is_told_to, stops_loudly_at_a_foreign_message,
]


def check_schema(w, name, value):
    schema = json.loads((w.where / "schemas" / name).read_text())
    try:
        jsonschema.Draft202012Validator(schema).validate(value)
    except jsonschema.ValidationError as why:
        raise Failed(f"{name}: {why.message}") from why


async def run(profile, where, binary):
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
    world = World(profile, where, binary, folder)
    print(f"{profile['module']} on nats-server {version}")
    try:
        world.server.start()
        await world.connect()
        await world.install()
        world.start()
        for check in CHECKS:
            began = time.monotonic()
            try:
                await check(world)
                must(world.process is None or world.process.poll() is None or check is CHECKS[-1], "the module ended")
            except Exception as why:
                what = why if isinstance(why, Failed) else f"{type(why).__name__}: {why}"
                print(f"  FAILED {check.__name__.replace('_', ' ')}: {what}")
                log = (folder / "module.log").read_text().splitlines()
                print("\n".join(f"    module: {line}" for line in log[-12:]))
                return False
            print(f"  ok     {check.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)
        print(f"{profile['module']} on nats-server {version}: {len(CHECKS)} checks, all ok")
        return True
    finally:
        world.process and world.process.kill()
        world.nc and await world.nc.close()
        world.server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    options = argparse.ArgumentParser(description="checks a module against docs/wire.md")
    options.add_argument("profile", type=pathlib.Path)
    options.add_argument("--server", action="append", help="a nats-server binary; may be given more than once")
    given = options.parse_args()
    servers = given.server or [os.environ.get("NATS_SERVER", "nats-server")]
    profile = json.loads(given.profile.read_text())
    ok = all(asyncio.run(run(profile, given.profile.resolve().parent, server)) for server in servers)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
