// Everything about one route.

import { ask, query } from "./door.js";
import { byId, el } from "./dom.js";
import { counted, duration, moment, number, size } from "./format.js";
import { FIELDS, live } from "./live.js";
import { plot } from "./plots.js";
import { SPAN } from "./series.js";
import { count, countsOf, worst } from "./counts.js";
import { Sessions } from "./sessions.js";
import { bare, stateOf, waiting } from "./state.js";
import { verbs } from "./verbs.js";

const SHORTEST = 60; // seconds

let name = "", parts = null, changed = "", looks = 0, closed = () => {};

export function begin(onClose) {
  closed = onClose;
  live.addEventListener("look", () => { if (name) update(); });
}

export function open(wanted) {
  close();
  name = wanted;
  changed = null;
  looks = 0;
  const panel = byId("panel");
  panel.setAttribute("aria-label", `Route ${name}`);
  parts = {
    pills: el("p", { class: "verbs" }), facts: el("dl", { class: "facts-of" }), verbs: el("div", { class: "verbs", role: "group", "aria-label": "Verbs" }),
    points: el("ul", { class: "points" }), plots: el("div", { class: "plots" }), reasons: el("ul", { class: "reasons" }),
    changes: el("ol", { class: "changes" }), sessions: new Sessions(name), seen: {},
  };
  const title = el("h2", { tabindex: "-1" }, name);
  panel.replaceChildren(
    el("header", {}, title, el("button", { type: "button", "aria-label": `Close ${name}`, on: { click: close } }, "✕")),
    parts.pills, parts.verbs, parts.facts,
    el("section", {}, el("h3", {}, "Endpoints"), parts.points),
    el("section", {}, el("h3", {}, "The last ten minutes"), parts.plots, parts.reasons),
    parts.sessions.node,
    el("section", {}, el("h3", {}, "History"), parts.changes));
  panel.hidden = false;
  panel.scrollTop = 0;
  title.focus({ preventScroll: true });
  update();
}

export function close() {
  if (!name) return;
  const left = name;
  name = "";
  parts = null;
  byId("panel").hidden = true;
  byId("panel").replaceChildren();
  closed(left);
}

export const shown = () => name;

async function update() {
  const route = live.routes.get(name), here = parts, mine = name;
  if (!route) { gone(); return; }
  say("pills", [route.plane, route.hold, route.differs], () => [
    el("span", { class: route.plane === "kernel" ? "pill off" : "pill" }, `plane ${route.plane}`),
    route.hold ? el("span", { class: "pill warn" }, `held: ${waiting(route)} of at most ${route.hold.limit} wait`) : null,
    route.differs ? el("span", { class: "pill" }, "changed by hand") : null]);
  say("verbs", [Boolean(route.hold)], () => buttons(route));
  say("facts", [route.listen, route.why, route.existing, route.origin, route.differs, route.changed, route.left, route.follow,
    route.open, route.opened, route.refused], () => facts(route));
  say("points", route.endpoints, () => route.endpoints.map(point));
  draw();
  if (looks % 3 === 0) here.sessions.ask();
  looks += 1;
  const stamp = JSON.stringify([route.changed, live.event]);
  if (stamp !== changed) { changed = stamp; history(); }
  await count(mine);
  if (parts === here) draw();
}

// Parts that have not changed stay in the document, so that they keep the focus.
function say(part, facts, make) {
  const now = JSON.stringify(facts);
  if (parts.seen[part] === now) return;
  parts.seen[part] = now;
  const held = parts[part].contains(document.activeElement) ? document.activeElement.dataset.does : null;
  parts[part].replaceChildren(...make().flat().filter(Boolean));
  if (held) parts[part].querySelector(`[data-does="${CSS.escape(held)}"]`)?.focus();
}

function gone() {
  say("pills", "gone", () => [el("span", { class: "pill bad" }, "this route is gone")]);
  say("verbs", "gone", () => []);
}

const verb = (word, does, run, tone = "") => el("button", { type: "button", class: tone, "data-does": does, on: { click: run } }, word);

function buttons(route) {
  return [
    verb("Move…", "move", () => verbs.move(name), "main"),
    route.hold && !route.follow ? verb("Release", "release", () => verbs.release(name), "main") : verb("Hold…", "hold", () => verbs.hold(name)),
    verb("Drain…", "drain", () => verbs.drain(name)), verb("Maint…", "maint", () => verbs.maint(name), "danger"),
    verb("Ready", "ready", () => verbs.ready(name)), verb("Cut…", "cut", () => verbs.cut(name), "danger"),
    verb("Undo…", "undo", () => verbs.undo(name)), verb("Reset…", "reset", () => verbs.reset(name), "danger"),
    verb("Remove…", "remove", () => verbs.remove(name), "danger"),
  ];
}

function facts(route) {
  const told = [
    ["listens", route.listen], ["plane", route.why ? `${route.plane}: ${route.why}` : route.plane],
    ["sessions", `${number(route.open)} open; ${number(route.opened)} opened, ${number(route.refused)} refused since it began`],
    ["existing", route.existing], ["from", route.origin],
  ];
  if (route.follow) {
    told.push(["follows", `${route.follow.authority}: ${route.follow.answering} of ${route.follow.members} answer`],
      ["primary", `${route.follow.primary || "none"}: ${route.follow.why}`]);
    for (const problem of route.follow.problems) told.push(["problem", problem]);
  }
  if (route.changed) told.push(["changed", `${moment(route.changed.when)} by ${route.changed.who}: ${route.changed.what}`]);
  if (route.differs) told.push(["differs", route.differs]);
  for (const one of route.left) told.push(["left", `${counted(one.open, "session")} at ${bare(one.endpoint)}, which has left the route`]);
  return told.flatMap(([word, text]) => [el("dt", {}, word), el("dd", {}, text)]);
}

function point(one) {
  const state = stateOf(one), where = bare(one.endpoint);
  const small = (word, does) => el("button", { type: "button", class: does === "cut" || does === "maint" ? "danger" : "", "data-does": `${does} ${one.endpoint}`,
    "aria-label": `${word.replace("…", "")} ${where}`, on: { click: () => verbs[does](name, one.endpoint) } }, word);
  const why = one.reason || (one.error ? `was: ${one.error}` : "");
  return el("li", { class: state.tone },
    el("div", { class: "line" }, el("span", { class: "where mono" }, where), el("span", { class: "word" }, `${state.sign} ${state.word}`)),
    why ? el("div", { class: "quiet" }, why) : null,
    el("div", { class: "small" }, one.admin === "ready" ? [small("Drain…", "drain"), small("Maint…", "maint")] : small("Ready", "ready"), small("Cut…", "cut"),
      el("span", { class: "quiet" }, `${number(one.open)} open, ${number(one.opened)} opened, ${number(one.failures)} failures`)));
}

function draw() {
  const ring = live.rates.get(name), now = live.now;
  // from the first point on, but for a minute at least
  const from = Math.max(now - SPAN, Math.min(live.since, now - SHORTEST));
  const of = (field) => ring?.of(FIELDS[field], from) ?? [];
  const known = countsOf(name), { ring: counts, told } = known;
  const errors = worst(known, from, 3);
  const each = (value) => `${number(value)}/s`;
  parts.plots.replaceChildren(
    plot("New sessions", [of("opened"), of("refused")], ["new", "refused"], from, now, each),
    plot("Bytes", [of("up"), of("down")], ["up", "down"], from, now, (value) => `${size(value)}/s`),
    plot("Open sessions", [of("open")], ["open"], from, now, number),
    plot("Connect time", [counts.of(0, from), counts.of(1, from)], ["p50", "p99"], from, now, duration),
    plot("Errors by reason", errors.length ? errors.map(([, points]) => points) : [[]], errors.length ? errors.map(([reason]) => reason) : ["none"], from, now, each));
  const reasons = told ? [...told.ended.map((one) => [one.reason, one.count]), ...told.turned_away.map((one) => [`turned away: ${one.reason}`, one.count])] : [];
  const text = JSON.stringify(reasons);
  if (parts.seen.reasons !== text) {
    parts.seen.reasons = text;
    parts.reasons.replaceChildren(...(reasons.length ? [el("li", { class: "quiet" }, "ended, by reason:")] : []),
      ...reasons.map(([reason, count_]) => el("li", {}, `${reason} `, el("b", {}, number(count_)))));
  }
}

async function history() {
  const here = parts;
  let list;
  try {
    list = await ask(`v1/history?${query({ route: name, limit: 50 })}`);
  } catch (fault) {
    if (fault.status === undefined) throw fault;
    if (parts === here && fault.kind === "path") here.changes.replaceChildren(el("li", { class: "quiet" }, "this ambassador keeps no history"));
    return;
  }
  if (parts !== here) return;
  here.changes.replaceChildren(...(list.changes.length ? list.changes : []).map((one) => el("li", { class: one.outcome.split(":")[0] },
    el("span", { class: "said" }, one.what),
    el("span", { class: "by" }, `${one.number}: ${moment(one.when)} by ${one.who}, ${one.outcome}${one.last ? "; undo takes it back" : ""}`))),
  ...(list.changes.length ? [] : [el("li", { class: "quiet" }, "nothing was changed by hand")]));
}
