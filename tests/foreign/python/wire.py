"""The wire (docs/wire.md): subjects, headers, bodies and keys. Pure functions; change MODULE and keep the rest."""

import hashlib
import json
import os
import re
import sys
import uuid
from datetime import datetime, timezone
from urllib.parse import unquote_to_bytes

MODULE = "printshop"
PREFIX = os.environ.get("PREFIX", "aicmo")
EVENTS, CONSUMER = f"EVT_{MODULE}", f"cmd-{MODULE}"
JSON_DEPTH_MAX = 64


class Weather(Exception):
    """It passes by itself; nothing is remembered of it."""


class Refused(Exception):
    """A business no. Nothing happened, and the same question gets the same answer for ever."""


class Broken(Exception):
    """Nobody can do anything with this message: a bug. It becomes a dead letter and a fault."""


class Foreign(Exception):
    """The stream of our events holds what our log does not know. Only a person may decide."""


def say(text):
    print(f"{MODULE}: {text}", file=sys.stderr, flush=True)


def encode(text):
    return "".join(chr(b) if 0x21 <= b <= 0x7E and b not in b'"%' else f"%{b:02X}" for b in str(text).encode())


def decode(value):
    return unquote_to_bytes(value).decode()


def read_headers(raw):
    """Names in lower case; the attributes decoded once."""
    lower = {name.lower(): value for name, value in (raw or {}).items()}
    try:
        return {name: decode(value) if name.startswith("ce-") else value for name, value in lower.items()}
    except UnicodeDecodeError as why:
        raise Broken(f"a header is not UTF-8: {why}") from why


def read_json(body):
    def once(pairs):
        if len(pairs) != len(dict(pairs)):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def depth(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + max(map(depth, inner), default=0) if isinstance(value, (dict, list)) else 0

    try:
        value = json.loads(body.decode(), object_pairs_hook=once)
        if depth(value) > JSON_DEPTH_MAX:
            raise ValueError("nested too deep")
        return value
    except (ValueError, RecursionError) as why:
        raise Broken(f"not JSON that can be read: {why}") from why


def write_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def keys_of(headers):
    """The keys of the deed and of its undo. Taken from the headers: a later round of a step has keys of its own."""
    own = str(uuid.UUID(headers["ce-stepkey"]))
    direction = {"do": "undo", "undo": "do"}[headers["ce-direction"]]
    other = uuid.uuid5(uuid.UUID(headers["ce-sagaid"]), f"{headers['ce-step']}:{direction}")
    other = headers.get("ce-counterkey") or str(other)
    return (own, other) if headers["ce-direction"] == "do" else (other, own)


def partition(stream):
    return f"p{hashlib.sha256(stream.encode()).digest()[0] % 64:02}"


def cut(text, most):
    """At most so many bytes of a text, and no half letter."""
    return text.encode()[:most].decode(errors="ignore")


def number(text):
    """A number as it is spelt on the wire, or None: digits without a sign and without a zero in front."""
    return int(text) if text and re.fullmatch("0|[1-9][0-9]*", text) else None


def time_of(headers, name):
    """The time that a header says, if there is one."""
    text = headers.get(name)
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError as why:
        raise Broken(f"{name}: {why}") from why


def is_over(headers):
    """Whether the patience of a command's sender has ended. Without a deadline it never does."""
    due = time_of(headers, "ce-deadline")
    return due is not None and due < datetime.now(timezone.utc)


def now():
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


REPLY = "orchestration.Reply.v1"
# A reply binds by these, each as the command had it.
BINDING = ["ce-sagaid", "ce-step", "ce-stepkey", "ce-direction", "ce-attempt"]
REPLIED = ["ce-correlationid", "ce-causationid", "ce-sagaid", "ce-step", "ce-stepkey", "ce-direction", "ce-attempt"]
COPIED = ["ce-correlationid", "ce-causationid", "ce-actorkind", "ce-actorid", "ce-sagaid", "ce-step", "ce-stepkey"]


def message_headers(kind, subject, ident, cause, names=COPIED):
    """The headers of an event or a reply that a command caused."""
    attributes = {
        "ce-specversion": "1.0", "ce-id": ident, "ce-type": kind, "ce-subject": subject, "ce-time": now(),
        "ce-source": f"/{PREFIX.replace('.', '/')}/{MODULE}", "ce-datacontenttype": "application/json",
    }
    attributes |= {name: cause[name] for name in names if name in cause}
    plain = {"Content-Type": "application/json"}
    if kind != REPLY:  # A neighbour could take the id of a reply before its owner does.
        plain["Nats-Msg-Id"] = ident
    if "traceparent" in cause:
        plain["traceparent"] = cause["traceparent"]
    return {name: encode(value) for name, value in attributes.items()} | plain
