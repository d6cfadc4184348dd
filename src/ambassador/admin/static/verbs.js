// What the verbs do. An action that affects sessions asks once, and says how many there are.

import { ask, query } from "./door.js";
import { el } from "./dom.js";
import { counted } from "./format.js";
import { look } from "./live.js";
import { field, question, tick, touches } from "./dialog.js";
import { notice } from "./notices.js";
import { waiting } from "./state.js";

async function did(verb, body) {
  const done = await ask(`v1/${verb}`, body);
  notice([done.message, ...(done.notes ?? [])].join("; "));
  look();
  return true;
}

const fresh = async (name) => (await ask(`v1/status?${query({ route: name })}`)).routes[0];

const seconds = (value) => el("input", { type: "number", min: "0", step: "any", value });

// The number of open sessions is asked for with the question: the one shown may be 3 seconds old.
async function open(name, endpoint = "") {
  const route = await fresh(name);
  return endpoint ? route.endpoints.find((one) => one.endpoint === endpoint)?.open ?? 0 : route.open;
}

async function asked(make) {
  try {
    await make();
  } catch (fault) {
    if (fault.status === undefined) throw fault;
    notice(fault.message, "bad");
  }
}

export const verbs = {
  move: (name) => asked(async () => {
    const route = await fresh(name);
    const from = route.endpoints.map((one) => one.endpoint);
    const where = el("textarea", { rows: String(Math.min(6, from.length + 1)), required: true, spellcheck: "false", value: from.join("\n") });
    const hold = tick("Let new sessions wait until it is done"), verify = tick("Check first whether the endpoints answer", true);
    const policy = el("input", { placeholder: route.existing, list: "policies", spellcheck: "false" });
    const time = seconds("10");
    const body = (check) => ({ route: name, endpoints: where.value.split(/[\s,]+/).filter(Boolean), hold: hold.box.checked,
      verify: verify.box.checked, existing: policy.value.trim(), timeout: Number(time.value), from, check });
    question(`Move ${name}`, [
      field("Endpoints, one a line", where), hold.line, verify.line,
      field("Open sessions (existing)", policy, "keep, drain=30s, cut or cut=50/s; empty: as the route has it"),
      el("datalist", { id: "policies" }, ["keep", "drain=30s", "cut", "cut=50/s"].map((one) => el("option", { value: one }))),
      field("Time limit (seconds); after it, everything stays as it was", time),
    ], [
      { word: "See what would happen", first: true, run: async () => {
        const told = await ask("v1/move", body(true));
        return el("div", { class: told.sessions ? "told touches" : "told" }, el("p", {}, told.message),
          el("ul", {}, told.notes.map((note) => el("li", {}, note))));
      } },
      { word: "Move now", tone: "main", run: async () => did("move", { ...body(false), check: undefined }) },
    ]);
  }),

  hold: (name) => asked(async () => {
    const time = seconds("30"), most = el("input", { type: "number", min: "1", step: "1", value: "1000" });
    question(`Hold ${name}`, [
      el("p", {}, "New sessions are accepted and wait until you release them; open ones go on."),
      field("Each waits at most (seconds)", time), field("How many may wait", most),
    ], [{ word: "Hold", tone: "main", first: true, run: () => did("hold", { route: name, timeout: Number(time.value), limit: Number(most.value) }) }]);
  }),

  release: (name) => asked(() => did("release", { route: name })),

  drain: (name, endpoint = "") => asked(async () => {
    const time = seconds("0"), count = await open(name, endpoint);
    question(`Drain ${endpoint || name}`, [
      touches(`${counted(count, "session")} open there; no new ones come, open ones finish.`),
      field("Cut sessions that are left after (seconds; 0: never)", time),
    ], [{ word: "Drain", tone: "main", first: true, run: () => did("drain", { route: name, endpoint, deadline: Number(time.value) }) }]);
  }),

  maint: (name, endpoint = "") => asked(async () => {
    const route = await fresh(name), count = await open(name, endpoint);
    question(`Maintenance of ${endpoint || name}`, [
      touches(`${counted(count, "session")} open there: they follow existing=${route.existing}, as if the endpoint had left.`),
    ], [{ word: "Take it out", tone: "main danger", first: true, run: () => did("maint", { route: name, endpoint }) }]);
  }),

  ready: (name, endpoint = "") => asked(() => did("ready", { route: name, endpoint })),

  cut: (name, endpoint = "") => asked(async () => {
    const rate = el("input", { type: "number", min: "0", step: "1", value: "0" }), count = await open(name, endpoint);
    question(`Cut sessions of ${endpoint || name}`, [
      touches(`${counted(count, "session")} will be ended with a reset on both sides. Their clients may come back at once.`),
      field("How many a second, at most (0: all at once)", rate),
    ], [{ word: "Cut", tone: "main danger", first: true, run: () => did("cut", { route: name, endpoint, rate: Number(rate.value) }) }]);
  }),

  cutOne: (session) => asked(async () => {
    question(`Cut session ${session.id}`, [
      touches(`1 session, of ${session.client}, will be ended with a reset on both sides.`),
    ], [{ word: "Cut", tone: "main danger", first: true, run: () => did("cut", { session: session.id }) }]);
  }),

  undo: (name) => asked(async () => {
    const list = await ask(`v1/history?${query({ route: name, limit: 50 })}`);
    const last = list.changes.find((one) => one.last);
    if (!last) { notice(`${name} has no change that could be taken back`); return; }
    const count = await open(name);
    const hold = tick("Let new sessions wait until it is done");
    question(`Take back the last change of ${name}`, [
      el("p", {}, `Change ${last.number}: ${last.what}, by ${last.who}.`),
      touches(`${counted(count, "session")} open; if it leads to other endpoints, they follow the route's policy.`), hold.line,
    ], [{ word: "Take it back", tone: "main", first: true, run: () => did("undo", { route: name, change: last.number, hold: hold.box.checked }) }]);
  }),

  reset: (name) => asked(async () => {
    const route = await fresh(name);
    question(`Reset ${name}`, [
      el("p", {}, route.differs ? `Now: ${route.differs}.` : "The route is already as the sources say."),
      touches(`${counted(route.open, "session")} open, ${counted(waiting(route), "client")} waiting; the operator's changes are dropped.`),
    ], [{ word: "Reset", tone: "main danger", first: true, run: () => did("reset", { route: name }) }]);
  }),

  remove: (name) => asked(async () => {
    const route = await fresh(name);
    question(`Remove ${name}`, [
      touches(`${counted(route.open, "session")} open: they follow existing=${route.existing}. New clients are refused.`),
    ], [{ word: "Remove", tone: "main danger", first: true, run: () => did("remove", { route: name }) }]);
  }),

  reload: (total) => asked(async () => {
    question("Read the sources again", [
      el("p", {}, "Environment, files and token are read again; the operator's changes stay. If something is wrong, everything stays as it was."),
      touches(`${counted(total, "session")} open; those of routes that change follow their policy.`),
    ], [{ word: "Reload", tone: "main", first: true, run: () => did("reload", {}) }]);
  }),
};
