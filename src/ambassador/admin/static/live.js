// The present state: look after look while the page is visible, and what moved between two looks.

import { ask, query } from "./door.js";
import { Ring, rate } from "./series.js";

const AGAIN = 2000; // milliseconds until a silent ambassador is asked again

export const FIELDS = { opened: 0, up: 1, down: 2, refused: 3, open: 4 };
const COUNTERS = ["opened", "to_upstream", "to_client", "refused"];

export const live = Object.assign(new EventTarget(), {
  routes: new Map(), // by name, as `status` has them
  rates: new Map(), // by name: [opened, up, down, refused, open], of those that have ever moved
  flows: new Map(), // "name endpoint": bytes a second of the relay, where something moves
  program: null,
  lost: 0, // since when nobody answers, in milliseconds; 0: somebody does
  event: 0,
  since: 0, // when it was looked at first, in seconds of the page
});

let number = 0, when = 0, timer = 0, older = false, instance = "";

const say = (what, detail) => live.dispatchEvent(new CustomEvent(what, { detail }));

export function begin() {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  look();
}

export async function look() {
  clearTimeout(timer);
  timer = -1;
  let every = AGAIN;
  try {
    take(await asked());
    every = live.every * 1000;
    if (live.lost) say("back");
    live.lost = 0;
  } catch (fault) {
    if (fault.status === 401 || fault.status === 403) {
      say("locked", fault);
      timer = 0;
      return;
    }
    if (fault.status === undefined) throw fault; // a bug of this page
    live.lost ||= Date.now();
    say("lost", fault);
  } finally {
    if (timer === -1 && !document.hidden) timer = setTimeout(look, every);
  }
}

async function asked() {
  if (!older) {
    try {
      return await ask(`v1/look?${query({ since: number })}`);
    } catch (fault) {
      if (fault.status !== 404 || fault.kind !== "path") throw fault;
      older = true; // an older ambassador without looks: the whole status is asked for, less often
    }
  }
  const { routes, ...program } = await ask("v1/status");
  return { number: 0, every: 5, whole: true, gone: [], routes, program, event: live.event };
}

function take(told) {
  const now = performance.now() / 1000, passed = when ? now - when : 0;
  const program = told.program, self = `${program.pid}`;
  if (instance && instance !== self) say("another", program);
  const anew = instance !== self;
  instance = self;
  if (!anew && number && told.number === number) { // the look it has: no rate is to be had from it
    Object.assign(live, { program, event: told.event, every: told.every });
    say("look", { anew });
    return;
  }
  const before = anew ? new Map() : live.routes;
  const routes = told.whole ? new Map() : live.routes;
  const moved = new Map();
  live.flows.clear();
  for (const route of told.routes) {
    const old = before.get(route.name);
    if (old && passed) moved.set(route.name, ratesOf(route, old, passed));
    routes.set(route.name, route);
  }
  for (const name of told.gone) { routes.delete(name); live.rates.delete(name); }
  if (told.whole) for (const name of live.rates.keys()) if (!routes.has(name)) live.rates.delete(name);
  for (const [name, values] of moved) {
    if (!live.rates.has(name) && values.some(Boolean)) live.rates.set(name, new Ring(5));
  }
  if (passed) for (const [name, ring] of live.rates) {
    ring.add(now, moved.get(name) ?? [0, 0, 0, 0, routes.get(name)?.open ?? 0]);
  }
  Object.assign(live, { routes, program, now, event: told.event, every: told.every });
  if (anew) live.since = now;
  number = told.number;
  when = now;
  say("look", { anew });
}

function ratesOf(route, old, passed) {
  const known = new Map(old.endpoints.map((one) => [one.endpoint, one]));
  for (const one of route.endpoints) {
    const last = known.get(one.endpoint);
    if (!last) continue;
    const bytes = rate(one.to_upstream, last.to_upstream, passed) + rate(one.to_client, last.to_client, passed);
    const flow = bytes + 500 * rate(one.opened, last.opened, passed);
    if (flow) live.flows.set(`${route.name} ${one.endpoint}`, flow);
  }
  const [opened, up, down, refused] = COUNTERS.map((field) => rate(route[field], old[field], passed));
  return [opened, up, down, refused, route.open];
}

export const rateOf = (name, field) => live.rates.get(name)?.last(FIELDS[field]) ?? 0;
