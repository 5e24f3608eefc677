"""A print shop: a module of the saga system in Python. This file is the business; the rest is the same in every module.

Run it with NATS_URL, PREFIX and LEDGER in the environment (see README.md).
"""

import asyncio
import os
import sys

from ledger import Ledger
from module import run
from wire import MODULE, Broken, Foreign, Refused, say

COPIES_MAX = 1000
SCHEMA = "CREATE TABLE IF NOT EXISTS proofs (id TEXT PRIMARY KEY, copies INTEGER, title TEXT, cancelled INTEGER);"


def print_proof(ledger, cause, request):
    match request:
        case {"copies": int(copies), "title": str(title), **rest} if not rest and type(copies) is int and copies >= 1:
            pass
        case _:
            raise Broken("not a PrintProof: {\"copies\": 1 or more, \"title\": text}")
    if copies > COPIES_MAX:
        raise Refused("TOO_MANY", f"{copies} copies, at most {COPIES_MAX} fit the press", {"max": COPIES_MAX})
    proof = cause["ce-stepkey"]  # The undo was built with it before this reply exists.
    ledger.db.execute("INSERT INTO proofs VALUES (?, ?, ?, 0)", (proof, copies, title))
    ledger.append(cause, f"printshop_proof-{proof}", "ProofPrinted", 1,
                  {"proof": proof, "copies": copies, "title": title})
    return {"proof": proof}


def cancel_proof(ledger, cause, request):
    match request:
        case {"proof": str(proof), **rest} if not rest:
            pass
        case _:
            raise Broken("not a CancelProof: {\"proof\": id}")
    if not ledger.db.execute("UPDATE proofs SET cancelled = 1 WHERE id = ? AND NOT cancelled", (proof,)).rowcount:
        raise Refused("NOT_FOUND", f"there is no proof {proof}", {"what": f"proof {proof}"})
    ledger.append(cause, f"printshop_proof-{proof}", "ProofCancelled", 1, {"proof": proof})
    return None


def proofs(ledger, _request):
    rows = ledger.db.execute("SELECT id, copies, title, cancelled FROM proofs ORDER BY rowid").fetchall()
    return {"proofs": [{"proof": r["id"], "copies": r["copies"], "title": r["title"],
                        "cancelled": bool(r["cancelled"])} for r in rows]}


COMMANDS = {"PrintProof.v1": print_proof, "CancelProof.v1": cancel_proof}
QUERIES = {"Proofs.v1": proofs}


if __name__ == "__main__":
    try:
        asyncio.run(run(Ledger(os.environ.get("LEDGER", f"{MODULE}.db"), SCHEMA), COMMANDS, QUERIES))
    except Foreign as why:
        say(f"STOPPED: {why}. Somebody else publishes here, or this ledger is old. Nothing was changed.")
        sys.exit(70)
