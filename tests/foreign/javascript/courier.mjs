// A courier: a module of the saga system in JavaScript. This file is the business; the rest is the same in every module.
//
// Run it with NATS_URL, PREFIX and LEDGER in the environment (see README.md).

import { Ledger } from "./ledger.mjs";
import { run } from "./module.mjs";
import { Broken, Foreign, MODULE, Refused, say } from "./wire.mjs";

const pickups = new Map(); // id -> what is known of it; folded from the events

function apply(event) {
  switch (event.name) {
    case "PickupBooked":
      pickups.set(event.pickup, { address: event.address, parcels: event.parcels, cancelled: false });
      break;
    case "PickupCancelled":
      pickups.get(event.pickup).cancelled = true;
      break;
    default:
      throw new Error(`this program is older than its ledger: ${event.name}`);
  }
}

function bookPickup(cause, request, append) {
  const { address, parcels, ...rest } = request ?? {};
  if (typeof address !== "string" || !Number.isSafeInteger(parcels) || parcels < 1 || Object.keys(rest).length) {
    throw new Broken('not a BookPickup: {"address": text, "parcels": 1 or more}');
  }
  if (address.trim() === "") throw new Refused("NO_ADDRESS", "a courier needs an address to go to");
  const pickup = cause["ce-stepkey"]; // The undo was built with it before this reply exists.
  append(`courier_pickup-${pickup}`, "PickupBooked", 1, { pickup, address, parcels });
  return { pickup };
}

function cancelPickup(_cause, request, append) {
  const { pickup, ...rest } = request ?? {};
  if (typeof pickup !== "string" || Object.keys(rest).length) throw new Broken('not a CancelPickup: {"pickup": id}');
  const known = pickups.get(pickup);
  if (!known || known.cancelled) {
    throw new Refused("NOT_FOUND", `there is no pickup ${pickup}`, { what: `pickup ${pickup}` });
  }
  append(`courier_pickup-${pickup}`, "PickupCancelled", 1, { pickup });
  return null;
}

const handlers = {
  commands: { "BookPickup.v1": bookPickup, "CancelPickup.v1": cancelPickup },
  queries: { "Pickups.v1": () => ({ pickups: Array.from(pickups, ([pickup, known]) => ({ pickup, ...known })) }) },
};

try {
  await run(new Ledger(process.env.LEDGER ?? `${MODULE}.ledger`, apply), handlers);
} catch (why) {
  if (!(why instanceof Foreign)) throw why;
  say(`STOPPED: ${why.message}. Somebody else publishes here, or this ledger is old. Nothing was changed.`);
  process.exit(70);
}
