// The counts of the open route: ends by reason, and how long connecting takes.

import { ask, query } from "./door.js";
import { live } from "./live.js";
import { Ring, quantile } from "./series.js";

const KEPT = 20; // routes whose plots are kept when another route is opened
const ORDERLY = new Set(["client", "upstream", "unknown", "shutdown"]); // ends that are no error
const known = new Map(); // by name: { ring, last, missing }

export function countsOf(name) {
  let found = known.get(name);
  if (!found) {
    if (known.size >= KEPT) known.delete(known.keys().next().value);
    known.set(name, (found = { ring: new Ring(2), errors: new Map(), last: null, told: null, missing: false }));
  }
  return found;
}

export async function count(name) {
  const found = countsOf(name);
  if (found.missing) return found;
  let told;
  try {
    told = await ask(`v1/numbers?${query({ route: name })}`);
  } catch (fault) {
    if (fault.status === undefined) throw fault;
    if (fault.kind === "path") found.missing = true; // an API older than this page
    return found;
  }
  const before = found.told, passed = live.now - found.last;
  if (before && passed > 0) {
    const old = new Map(before.connects.map((one) => [one.at_most, one.count]));
    const fresh = told.connects.map((one) => ({ at_most: one.at_most, count: Math.max(0, one.count - (old.get(one.at_most) ?? 0)) }));
    found.ring.add(live.now, [quantile(fresh, 0.5) ?? 0, quantile(fresh, 0.99) ?? 0]);
    const then = errorsOf(before);
    for (const [reason, number] of errorsOf(told)) {
      const more = Math.max(0, number - (then.get(reason) ?? 0)) / passed;
      if (more && !found.errors.has(reason)) found.errors.set(reason, new Ring(1));
      found.errors.get(reason)?.add(live.now, [more]);
    }
  }
  found.told = told;
  found.last = live.now;
  return found;
}

// Errors by reason: clients without a session, and sessions that ended with an error.
export function errorsOf(told) {
  const found = new Map();
  for (const { reason, count: number } of [...told.ended, ...told.turned_away]) {
    if (!ORDERLY.has(reason)) found.set(reason, (found.get(reason) ?? 0) + number);
  }
  return found;
}

// The reasons of the last ten minutes with the most errors, each with its points.
export function worst(found, from, most) {
  return [...found.errors].map(([reason, ring]) => [reason, ring.of(0, from)])
    .map(([reason, points]) => [reason, points, points.reduce((sum, [, value]) => sum + value, 0)])
    .filter(([, , sum]) => sum).sort((a, b) => b[2] - a[2]).slice(0, most);
}
