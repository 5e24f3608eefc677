// A module on NATS: commands in, replies and events out, queries. It knows nothing of the business.
//
// Invariant: the sequence of an event in EVT_<module> is its position in the ledger's log, whatever the broker forgot.

import { connect } from "@nats-io/transport-node";
import { AckPolicy, JetStreamApiError, RetentionPolicy, StorageType, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  BINDING, Broken, CONSUMER, EVENTS, Foreign, MODULE, PREFIX, REPLIED, REPLY, Weather, asHeaders, cut, decode, encode, keysOf,
  messageHeaders, now, number, readHeaders, readJson, say, timeOf, uuid5, writeJson,
} from "./wire.mjs";

// After 20 deliveries, ten minutes, whatever fails will not pass by itself.
const DELIVERIES_MAX = 20;
// A broker that lost its data while nobody publishes is noticed after this long.
const AUDIT_MS = 1000 * Number(process.env.AUDIT_SECONDS ?? 5);
const PAUSE_MS = 500;
// A reason is a sentence: what quotes a whole message is cut.
const REASON_BYTES_MAX = 4096;
const PULL_MS = 2000;
const NANOS_PER_MS = 1_000_000;
const ACK_WAIT_MS = 30_000;
// As the installation makes it: a consumer of another make would be refused by the next coordinator that starts.
const ACK_PENDING_MAX = 4096;
const DUPLICATES_MS = 120_000;
// An answer to ReadLog stays below half of what a broker carries, so that headers and quoting fit beside it.
const PAGE_BYTES_MAX = 512 * 1024;
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

// For tests only: how often weather, a lost reply and a death between commit and reply are played.
const faults = {};
for (const name of ["FAIL_FIRST", "SILENT_FIRST", "CRASH_FIRST"]) faults[name] = Number(process.env[name] ?? 0);
const faultDue = (name) => faults[name]-- > 0;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const isApiError = (why, code) => why instanceof JetStreamApiError && why.code === code;

/** sequence on the bus = position in the log */
class Relay {
  constructor(ledger, js, jsm) {
    Object.assign(this, { ledger, js, jsm, cursor: null, wake: () => {} });
  }

  async run() {
    for (;;) {
      try {
        await this.repair();
        for (;;) {
          const woken = new Promise((done) => (this.wake = () => done(true)));
          await this.publish();
          let timer;
          const bored = new Promise((done) => (timer = setTimeout(done, AUDIT_MS, false)));
          if (!(await Promise.race([woken, bored]))) await this.repair();
          clearTimeout(timer);
        }
      } catch (why) {
        if (why instanceof Foreign) throw why;
        // Not published, published without our hearing of it, or no broker: the next repair asks the stream.
        say(`relay: ${why.message}; looking at the stream again`);
        await pause(PAUSE_MS);
      }
    }
  }

  async publish() {
    while (this.cursor < this.ledger.head) {
      const event = this.ledger.log[this.cursor];
      const ack = await this.js.publish(event.subject, event.body, { headers: asHeaders(event.headers) });
      if (ack.seq !== event.position) throw new Foreign(`position ${event.position} became sequence ${ack.seq} of ${EVENTS}`);
      this.cursor = event.position;
    }
  }

  async repair() {
    const last = await this.last();
    if (last > this.ledger.head) throw new Foreign(`${EVENTS} has sequence ${last}, our log ends at ${this.ledger.head}`);
    if (last > 0) {
      const message = await this.jsm.streams.getMessage(EVENTS, { seq: last });
      if (message) {
        const theirs = readHeaders(message.header)["nats-msg-id"];
        const ours = this.ledger.log[last - 1].id;
        if (theirs !== ours) throw new Foreign(`sequence ${last} of ${EVENTS} is ${theirs}, our log has ${ours} there`);
      } else if (this.cursor !== last) {
        // Removed by age. That is fine where we knew that it was there, and cannot be verified elsewhere.
        throw new Foreign(`sequence ${last} of ${EVENTS} cannot be read and compared`);
      }
    }
    if (last < (this.cursor ?? 0)) say(`relay: the broker lost events ${last + 1} to ${this.cursor}; publishing them again`);
    this.cursor = last;
    await this.publish();
  }

  async last() {
    try {
      return (await this.jsm.streams.info(EVENTS)).state.last_seq;
    } catch (why) {
      if (!isApiError(why, STREAM_NOT_FOUND)) throw why;
      await this.jsm.streams.add({
        name: EVENTS, subjects: [`${PREFIX}.evt.${MODULE}.>`], retention: RetentionPolicy.Limits, deny_delete: true,
        deny_purge: true, storage: StorageType.File, duplicate_window: DUPLICATES_MS * NANOS_PER_MS,
      });
      return 0;
    }
  }
}

class Module {
  constructor(nc, js, jsm, ledger, handlers) {
    Object.assign(this, { nc, js, jsm, ledger, handlers, stale: 0, relay: new Relay(ledger, js, jsm) });
  }

  async commands() {
    for (;;) {
      try {
        const consumer = await this.consumer();
        for (;;) {
          let any = false;
          const messages = await consumer.fetch({ max_messages: 16, expires: PULL_MS });
          for await (const message of messages) {
            any = true;
            await this.command(message);
          }
          // An empty pull may mean that the consumer is gone: ask, or wait silently for ever.
          if (!any) await consumer.info();
        }
      } catch (why) {
        say(`commands: ${why.message}; pulling anew`);
        await pause(PAUSE_MS);
      }
    }
  }

  async consumer() {
    try {
      return await this.js.consumers.get("CMD", CONSUMER);
    } catch (why) {
      if (!isApiError(why, CONSUMER_NOT_FOUND)) throw why;
      await this.jsm.consumers.add("CMD", {
        durable_name: CONSUMER, filter_subject: `${PREFIX}.cmd.${MODULE}.>`, ack_policy: AckPolicy.Explicit,
        ack_wait: ACK_WAIT_MS * NANOS_PER_MS, max_ack_pending: ACK_PENDING_MAX,
      });
      return await this.js.consumers.get("CMD", CONSUMER);
    }
  }

  async command(message) {
    let headers = {};
    let answer;
    try {
      headers = readHeaders(message.headers);
      if (message.info.deliveryCount > DELIVERIES_MAX) {
        throw new Broken(`still fails after ${DELIVERIES_MAX} deliveries`, "EXHAUSTED");
      }
      answer = this.answer(message.subject, headers, message.data);
    } catch (why) {
      if (why instanceof Broken) return this.park(message, headers, why);
      if (!(why instanceof Weather)) {
        say(`${message.subject} failed: ${why.stack}`); // a bug: it comes again, and becomes a dead letter in the end
        return message.nak(1000);
      }
      answer = { outcome: "retry", after_ms: 200, reason: why.message };
    }
    this.relay.wake();
    if (answer === null) {
      say(`dropped a command of a replaced coordinator, the ${++this.stale}. one`);
    } else if (answer.outcome === "done" && faultDue("CRASH_FIRST")) {
      process.kill(process.pid, "SIGKILL");
      await pause(60_000);
    } else if (!faultDue("SILENT_FIRST")) {
      await this.reply(headers, answer);
    }
    message.ack();
  }

  /** Decides, durably. null: drop it. */
  answer(subject, headers, body) {
    const command = subject.slice(`${PREFIX}.cmd.${MODULE}.`.length);
    const decide = this.handlers.commands[command];
    if (!decide) throw new Broken(`${MODULE} does not answer ${command}`, "NO_ROUTE");
    const [deedKey] = keysOf(headers);
    if (!headers["ce-sagaid"] || !headers["ce-step"]) throw new Broken("ce-sagaid or ce-step is missing");
    if (number(headers["ce-epoch"]) === null || !number(headers["ce-attempt"]) || !headers["ce-replyto"]) {
      throw new Broken("ce-epoch, ce-attempt or ce-replyto is wrong");
    }
    timeOf(headers, "ce-time");
    if (headers["ce-probe"] === "true") {
      return this.ledger.known(deedKey, body) ?? { outcome: "nothing_known" };
    }
    const request = readJson(body);
    if (!request || typeof request !== "object" || Array.isArray(request)) {
      throw new Broken("the body of a command is a JSON object");
    }
    if (faultDue("FAIL_FIRST")) throw new Weather("played by FAIL_FIRST");
    return this.ledger.serve(headers, body, (cause, append) => decide(cause, request, append));
  }

  async reply(headers, answer) {
    if (!headers["ce-replyto"]) throw new Broken("ce-replyto is missing");
    if (!BINDING.every((name) => headers[name]) || !number(headers["ce-attempt"])) {
      throw new Broken("one of the headers that bind a reply is missing or wrong");
    }
    const id = uuid5(headers["ce-stepkey"], `reply:${headers["ce-attempt"]}:${answer.outcome}`);
    const made = messageHeaders(REPLY, headers["ce-subject"] ?? "", id, headers, REPLIED);
    await this.js.publish(headers["ce-replyto"], writeJson(answer), { headers: asHeaders(made) });
  }

  /** First the dead letter, then the fault, then the end of the message: a crash in between repeats them. */
  async park(message, headers, why) {
    const { stream, consumer, streamSequence, deliveryCount } = message.info;
    const reason = cut(why.message, REASON_BYTES_MAX);
    const kept = {};
    for (const [name, values] of message.headers ?? []) {
      if (!name.toLowerCase().startsWith("nats-")) kept[name] = values[0];
    }
    Object.assign(kept, {
      "dlq-reason": encode(reason), "dlq-subject": message.subject, "dlq-stream": stream,
      "dlq-sequence": String(streamSequence), "dlq-times": String(deliveryCount), "dlq-consumer": consumer,
      "dlq-time": now(), "Nats-Msg-Id": `dlq-${stream}-${streamSequence}-${consumer}`,
    });
    say(`parked ${message.subject}: ${reason}`);
    await this.js.publish(`${PREFIX}.dlq.${MODULE}`, message.data, { headers: asHeaders(kept) });
    try {
      await this.reply(headers, { outcome: "fault", code: why.code, reason });
    } catch (nobody) {
      if (!(nobody instanceof Broken)) throw nobody; // Otherwise its headers do not name the sender.
    }
    message.term();
  }

  /** A queue group, as a micro service would have it; several processes share the questions. */
  queries() {
    const questions = { ...this.handlers.queries, "ReadLog.v1": (request) => this.readLog(request) };
    for (const [name, find] of Object.entries(questions)) {
      const callback = (_, message) => {
        try {
          message.respond(writeJson(find(readJson(message.data))));
        } catch (why) {
          const refusal = { "Nats-Service-Error-Code": "422", "Nats-Service-Error": "MALFORMED" };
          message.respond(writeJson({ code: "MALFORMED", reason: why.message }), { headers: asHeaders(refusal) });
        }
      };
      this.nc.subscribe(`${PREFIX}.qry.${MODULE}.${name}`, { queue: "q", callback });
    }
  }

  readLog({ after, limit }) {
    if (!Number.isSafeInteger(after) || !Number.isSafeInteger(limit)) throw new Broken("not a ReadLog");
    const events = [];
    let size = 0;
    for (const { headers, body } of this.ledger.log.slice(after, after + Math.min(limit, 500))) {
      size += body.length + JSON.stringify(headers).length;
      if (events.length > 0 && size > PAGE_BYTES_MAX) break;
      const attributes = Object.entries(headers).filter(([name]) => name.startsWith("ce-"));
      const event = Object.fromEntries(attributes.map(([name, value]) => [name.slice(3), decode(value)]));
      if (headers.traceparent) event.traceparent = headers.traceparent;
      events.push({ ...event, data: JSON.parse(body) });
    }
    return { events, head: this.ledger.head };
  }
}

/** Serves until a signal to stop. Throws Foreign when the stream of events is not ours alone. */
export async function run(ledger, handlers) {
  const user = process.env.NATS_USER;
  const nc = await connect({
    servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222", user, pass: process.env.NATS_PASSWORD, name: MODULE,
    inboxPrefix: user ? `_INBOX_${user}` : "_INBOX", maxReconnectAttempts: -1, reconnectTimeWait: PAUSE_MS,
    waitOnFirstConnect: true,
  });
  // What the JetStream API is called in our account: JS.bus.API in one of its own.
  const apiPrefix = process.env.JS_API ?? "$JS.API";
  // The look at the account is skipped: a module's user need not be allowed to.
  const jsm = await jetstreamManager(nc, { checkAPI: false, apiPrefix });
  const module = new Module(nc, jetstream(nc, { apiPrefix }), jsm, ledger, handlers);
  module.queries();
  const stop = new Promise((done) => ["SIGTERM", "SIGINT"].forEach((sign) => process.on(sign, done)));
  say("ready");
  await Promise.race([module.relay.run(), module.commands(), stop]);
  process.exit(0);
}
