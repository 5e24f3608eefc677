// The ledger: one file to which whole transactions are appended, a line each, and which is the truth.
//
// Invariant: what was done under a key and what was answered are one line, flushed before anybody hears of it. A database
// would do as well; this one needs nothing but a file, because a module that remembers its events can rebuild the rest.

import fs from "node:fs";
import {
  EVENTS, MODULE, PREFIX, Refused, isOver, keysOf, messageHeaders, partition, sha256, uuid5, writeJson,
} from "./wire.mjs";

export class Ledger {
  /** `apply(event)` folds an event into the state of the business; it is called once for each, in order. */
  constructor(path, apply) {
    this.apply = apply;
    this.answers = new Map(); // key -> { payload, answer }
    this.epochs = new Map(); // saga -> newest epoch
    this.log = []; // events as messages; the event at position n is log[n - 1]
    this.versions = new Map(); // stream -> version
    this.lock(`${path}.lock`);
    this.file = fs.openSync(path, "a+");
    const whole = fs.readFileSync(path);
    // A crash while a line was written leaves a piece without its end: it was never answered, so it goes.
    const end = whole.lastIndexOf(0x0a) + 1;
    if (end < whole.length) fs.ftruncateSync(this.file, end);
    for (const line of whole.subarray(0, end).toString().split("\n").slice(0, -1)) {
      const { sum, record } = JSON.parse(line);
      if (sum !== sha256(JSON.stringify(record))) throw new Error(`${path} is damaged: ${line.slice(0, 80)}`);
      this.remember(record);
    }
    fs.fsyncSync(this.file);
  }

  /** Two programs that append to one file would destroy it. */
  lock(path) {
    try {
      const owner = Number(fs.readFileSync(path, "utf8"));
      process.kill(owner, 0);
      if (owner !== process.pid) throw new Error(`the ledger is used by process ${owner}; if not, remove ${path}`);
    } catch (why) {
      if (why.code !== "ENOENT" && why.code !== "ESRCH") throw why;
    }
    fs.writeFileSync(path, String(process.pid));
    process.on("exit", () => fs.rmSync(path, { force: true }));
  }

  get head() {
    return this.log.length;
  }

  /** The barrier (docs/wire.md, "what a module does with a command"). null: from a replaced coordinator. */
  serve(headers, body, decide) {
    const events = [];
    const [answer, isNew] = this.judge(headers, body, (cause) =>
      decide(cause, (...event) => events.push(this.message(cause, events, ...event))));
    if (isNew) {
      this.commit({
        saga: headers["ce-sagaid"], epoch: Number(headers["ce-epoch"]), key: headers["ce-stepkey"],
        payload: sha256(body), answer, events: answer.outcome === "done" ? events : [],
      });
    }
    return answer;
  }

  /** The first answer again; what was answered to another payload is no answer to this one. */
  known(key, body) {
    const row = this.answers.get(key);
    if (!row || row.payload === sha256(body)) return row?.answer;
    return new Refused("KEY_REUSED", "this key was used with another payload").answer;
  }

  /** The answer, and whether it is new. */
  judge(headers, body, decide) {
    const { "ce-sagaid": saga, "ce-direction": direction, "ce-stepkey": key } = headers;
    const [deedKey, undoKey] = keysOf(headers);
    const known = this.known(key, body);
    if (known) return [known, false];
    if (Number(headers["ce-epoch"]) < (this.epochs.get(saga) ?? 0)) return [null, false];
    if (direction === "do" && this.answers.has(undoKey)) {
      return [new Refused("TOMBSTONED", "this was undone before it arrived").answer, true];
    }
    if (direction === "undo" && this.answers.get(deedKey)?.answer.outcome !== "done") {
      return [{ outcome: "done", output: "nothing_to_undo" }, true];
    }
    if (direction === "do" && isOver(headers)) {
      return [{ outcome: "retry", after_ms: 0, reason: "EXPIRED: it came after its deadline" }, false];
    }
    try {
      return [{ outcome: "done", output: decide(headers) ?? null }, true];
    } catch (no) {
      if (no instanceof Refused) return [no.answer, true];
      throw no;
    }
  }

  /** An event as the message that it will be, now and whenever it is published again. */
  message(cause, before, stream, name, version, data) {
    const place = (this.versions.get(stream) ?? 0) + before.filter((event) => event.stream === stream).length + 1;
    const position = this.head + before.length + 1;
    const id = uuid5(cause["ce-stepkey"], `event:${stream}:${place}`);
    const headers = messageHeaders(`${MODULE}.${name}.v${version}`, stream, id, cause);
    Object.assign(headers, {
      "ce-dataschema": `schemas/${MODULE}/${name}.v${version}.json`, "ce-streamversion": String(place),
      "ce-position": String(position), "ce-recordedtime": headers["ce-time"],
      "Nats-Expected-Stream": EVENTS, "Nats-Expected-Last-Sequence": String(position - 1),
    });
    const category = stream.split("-", 1)[0];
    const subject = `${PREFIX}.evt.${MODULE}.${category}.${name}.v${version}.${partition(stream)}`;
    return { position, id, stream, version: place, name, subject, headers, body: writeJson(data) };
  }

  /** All of it or, after a crash, none of it. An error here ends the program: nobody knows what is on the disk. */
  commit(record) {
    const line = Buffer.from(`${JSON.stringify({ sum: sha256(JSON.stringify(record)), record })}\n`);
    try {
      if (fs.writeSync(this.file, line) !== line.length) throw new Error("written in part");
      fs.fsyncSync(this.file);
    } catch (why) {
      console.error(`${MODULE}: the ledger cannot be written: ${why.message}`);
      process.exit(74);
    }
    this.remember(record);
  }

  remember({ saga, epoch, key, payload, answer, events }) {
    this.answers.set(key, { payload, answer });
    this.epochs.set(saga, Math.max(epoch, this.epochs.get(saga) ?? 0));
    for (const event of events) {
      this.log.push(event);
      this.versions.set(event.stream, event.version);
      this.apply({ name: event.name, ...JSON.parse(event.body) });
    }
  }
}
