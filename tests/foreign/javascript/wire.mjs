// The wire (docs/wire.md): subjects, headers, bodies and keys. Pure functions; change MODULE and keep the rest.

import { createHash } from "node:crypto";
import { headers as emptyHeaders } from "@nats-io/transport-node";

export const MODULE = "courier";
export const PREFIX = process.env.PREFIX ?? "aicmo";
export const EVENTS = `EVT_${MODULE}`;
export const CONSUMER = `cmd-${MODULE}`;
const JSON_DEPTH_MAX = 64;

/** It passes by itself; nothing is remembered of it. */
export class Weather extends Error {}

/** A business no. Nothing happened, and the same question gets the same answer for ever. */
export class Refused extends Error {
  constructor(code, reason, fields) {
    super(reason);
    this.answer = { outcome: "refused", code, reason, ...(fields && { fields }) };
  }
}

/** Nobody can do anything with this message: a bug. It becomes a dead letter and a fault. */
export class Broken extends Error {
  constructor(reason, code = "MALFORMED") {
    super(reason);
    this.code = code;
  }
}

/** The stream of our events holds what our log does not know. Only a person may decide. */
export class Foreign extends Error {}

export const say = (text) => console.error(`${MODULE}: ${text}`);

// TextDecoder refuses what is not UTF-8 only if it is told to.
const strict = () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const bytes = (text) => new TextEncoder().encode(text);

export function encode(value) {
  const coded = (b) => `%${b.toString(16).toUpperCase().padStart(2, "0")}`;
  const plain = (b) => b >= 0x21 && b <= 0x7e && b !== 0x22 && b !== 0x25;
  return Array.from(bytes(String(value)), (b) => (plain(b) ? String.fromCharCode(b) : coded(b))).join("");
}

export function decode(value) {
  const parts = value.split(/(%[0-9A-Fa-f]{2})/);
  return strict().decode(Buffer.concat(parts.map((part, at) =>
    at % 2 ? Buffer.from(part.slice(1), "hex") : Buffer.from(part))));
}

/** Names in lower case; the attributes decoded once. */
export function readHeaders(raw) {
  const found = {};
  for (const [name, values] of raw ?? []) {
    const lower = name.toLowerCase();
    try {
      found[lower] = lower.startsWith("ce-") ? decode(values[0]) : values[0];
    } catch {
      throw new Broken(`header ${lower} is not UTF-8`);
    }
  }
  return found;
}

/** JSON.parse takes the last of two equal keys and any depth. Numbers beyond 2^53 lose digits: this module has none. */
export function readJson(body) {
  try {
    const text = strict().decode(body);
    const value = JSON.parse(text);
    const open = []; // one set of keys for each object we are in, null for each array
    let last = "";
    for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g)) {
      if (token === "{" || token === "[") {
        open.push(token === "{" ? new Set() : null);
        if (open.length > JSON_DEPTH_MAX) throw new Error("nested too deep");
      } else if (token === "}" || token === "]") {
        open.pop();
      } else if (token === ":") {
        const key = JSON.parse(last);
        if (open.at(-1).has(key)) throw new Error(`the key ${last} stands twice`);
        open.at(-1).add(key);
      }
      last = token;
    }
    return value;
  } catch (why) {
    throw new Broken(`not JSON that can be read: ${why.message}`);
  }
}

export const writeJson = (value) => JSON.stringify(value);

export const sha256 = (data) => createHash("sha256").update(data).digest("hex");

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function uuid5(namespace, name) {
  if (!UUID.test(namespace ?? "")) throw new Broken(`${namespace} is not a UUID`);
  const hash = createHash("sha1").update(Buffer.from(namespace.replaceAll("-", ""), "hex")).update(name).digest();
  hash[6] = (hash[6] & 0x0f) | 0x50;
  hash[8] = (hash[8] & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

/** The keys of the deed and of its undo. Taken from the headers: a later round of a step has keys of its own. */
export function keysOf(headers) {
  const own = headers["ce-stepkey"];
  const other = { do: "undo", undo: "do" }[headers["ce-direction"]];
  if (!UUID.test(own) || !other) throw new Broken("ce-stepkey or ce-direction is wrong");
  const counter = headers["ce-counterkey"] || uuid5(headers["ce-sagaid"], `${headers["ce-step"]}:${other}`);
  return other === "undo" ? [own, counter] : [counter, own];
}

export const partition = (stream) =>
  `p${String(createHash("sha256").update(stream).digest()[0] % 64).padStart(2, "0")}`;

/** At most so many bytes of a text, and no half letter. */
export const cut = (text, most) => new TextDecoder().decode(Buffer.from(text).subarray(0, most), { stream: true });

/** A number as it is spelt on the wire, or null: digits without a sign and without a zero in front. */
export const number = (text) => (/^(0|[1-9][0-9]*)$/.test(text ?? "") ? Number(text) : null);

/** The time that a header says, in milliseconds; undefined when there is none. */
export function timeOf(headers, name) {
  if (!headers[name]) return undefined;
  const at = Date.parse(headers[name]);
  if (Number.isNaN(at)) throw new Broken(`${name} is no time`);
  return at;
}

/** Whether the patience of a command's sender has ended. Without a deadline it never does. */
export function isOver(headers) {
  const due = timeOf(headers, "ce-deadline");
  return due !== undefined && due < Date.now();
}

export const now = () => new Date().toISOString();

export const REPLY = "orchestration.Reply.v1";
/** A reply binds by these, each as the command had it. */
export const BINDING = ["ce-sagaid", "ce-step", "ce-stepkey", "ce-direction", "ce-attempt"];
export const REPLIED = [
  "ce-correlationid", "ce-causationid", "ce-sagaid", "ce-step", "ce-stepkey", "ce-direction", "ce-attempt",
];
export const COPIED = [
  "ce-correlationid", "ce-causationid", "ce-actorkind", "ce-actorid", "ce-sagaid", "ce-step", "ce-stepkey",
];

/** The headers of an event or a reply that a command caused. */
export function messageHeaders(kind, subject, id, cause, names = COPIED) {
  const attributes = {
    "ce-specversion": "1.0", "ce-id": id, "ce-type": kind, "ce-subject": subject, "ce-time": now(),
    "ce-source": `/${PREFIX.replaceAll(".", "/")}/${MODULE}`, "ce-datacontenttype": "application/json",
  };
  for (const name of names) if (name in cause) attributes[name] = cause[name];
  const coded = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, encode(value)]));
  const trace = "traceparent" in cause ? { traceparent: cause.traceparent } : {};
  // A neighbour could take the id of a reply before its owner does.
  const once = kind === REPLY ? {} : { "Nats-Msg-Id": id };
  return { ...coded, ...trace, ...once, "Content-Type": "application/json" };
}

/** Headers as the client wants them. */
export function asHeaders(plain) {
  const made = emptyHeaders();
  for (const [name, value] of Object.entries(plain)) made.set(name, value);
  return made;
}
