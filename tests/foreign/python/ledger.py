"""The ledger: one SQLite file that holds answers, epochs, the log of events and the business, and is the truth.

Invariant: what was done under a key and what was answered are one transaction, flushed before anybody hears of it.
"""

import hashlib
import json
import sqlite3
import uuid

from wire import EVENTS, MODULE, PREFIX, Refused, is_over, keys_of, message_headers, partition, write_json


class Ledger:
    def __init__(self, path, business_schema):
        self.db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self.db.row_factory = sqlite3.Row
        # FULL: what is answered is on the disk, also after a power cut.
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        self.db.executescript("""
            CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, payload TEXT NOT NULL, answer TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS epochs (saga TEXT PRIMARY KEY, epoch INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS log (
                position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, stream TEXT NOT NULL, version INTEGER NOT NULL,
                subject TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (stream, version));
            """ + business_schema)

    def one(self, sql, *values):
        return self.db.execute(sql, values).fetchone()

    def answer(self, key):
        row = self.one("SELECT payload, answer FROM answers WHERE key = ?", key)
        return row and (row["payload"], json.loads(row["answer"]))

    def head(self):
        return self.one("SELECT coalesce(max(position), 0) AS head FROM log")["head"]

    def serve(self, headers, body, decide):
        """The barrier (docs/wire.md, "what a module does with a command"). None: from a replaced coordinator."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            answer, remember = self.judge(headers, body, decide)
            if remember:
                digest = hashlib.sha256(body).hexdigest()
                self.db.execute("INSERT INTO answers VALUES (?, ?, ?)",
                                (headers["ce-stepkey"], digest, write_json(answer).decode()))
                self.db.execute("INSERT INTO epochs VALUES (?, ?) ON CONFLICT (saga) DO UPDATE"
                                " SET epoch = max(epoch, excluded.epoch)",
                                (headers["ce-sagaid"], int(headers["ce-epoch"])))
            self.db.execute("COMMIT")
            return answer
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    @staticmethod
    def known(row, body):
        """The first answer again; what was answered to another payload is no answer to this one."""
        if row[0] == hashlib.sha256(body).hexdigest():
            return row[1]
        return refusal("KEY_REUSED", "this key was used with another payload")

    def judge(self, headers, body, decide):
        """The answer, and whether it is new."""
        saga, direction, (deed_key, undo_key) = headers["ce-sagaid"], headers["ce-direction"], keys_of(headers)
        known = self.answer(headers["ce-stepkey"])
        if known:
            return self.known(known, body), False
        newest = self.one("SELECT epoch FROM epochs WHERE saga = ?", saga)
        if newest and int(headers["ce-epoch"]) < newest["epoch"]:
            return None, False
        if direction == "do" and self.answer(undo_key):
            return refusal("TOMBSTONED", "this was undone before it arrived"), True
        if direction == "undo":
            deed = self.answer(deed_key)
            if not deed or deed[1]["outcome"] != "done":
                return {"outcome": "done", "output": "nothing_to_undo"}, True
        elif is_over(headers):
            return {"outcome": "retry", "after_ms": 0, "reason": "EXPIRED: it came after its deadline"}, False
        self.db.execute("SAVEPOINT decision")
        try:
            return {"outcome": "done", "output": decide(self, headers)}, True
        except Refused as no:
            self.db.execute("ROLLBACK TO decision")  # a refusal promises that nothing happened
            return refusal(*no.args), True

    def append(self, cause, stream, name, version, data):
        """Adds an event, as the message that it will be, now and whenever it is published again."""
        place = self.one("SELECT coalesce(max(version), 0) + 1 AS v FROM log WHERE stream = ?", stream)["v"]
        position = self.head() + 1  # under the write lock: no gap, and nothing becomes visible out of order
        ident = str(uuid.uuid5(uuid.UUID(cause["ce-stepkey"]), f"event:{stream}:{place}"))
        headers = message_headers(f"{MODULE}.{name}.v{version}", stream, ident, cause)
        headers |= {
            "ce-dataschema": f"schemas/{MODULE}/{name}.v{version}.json", "ce-streamversion": str(place),
            "ce-position": str(position), "ce-recordedtime": headers["ce-time"],
            "Nats-Expected-Stream": EVENTS, "Nats-Expected-Last-Sequence": str(position - 1),
        }
        category = stream.split("-", 1)[0]
        subject = f"{PREFIX}.evt.{MODULE}.{category}.{name}.v{version}.{partition(stream)}"
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (position, ident, stream, place, subject, json.dumps(headers), write_json(data)))


def refusal(code, reason, fields=None):
    return {"outcome": "refused", "code": code, "reason": reason} | ({"fields": fields} if fields else {})
