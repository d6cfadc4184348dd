// The picture: clients on the left, routes, endpoints. Only visible rows are in the document.

import { el, svg, told, byId } from "./dom.js";
import { size, number } from "./format.js";
import { live, rateOf } from "./live.js";
import { line, pace, shape, stacked, width } from "./bands.js";
import { bare, stateOf, troubleOf, waiting } from "./state.js";

const SHOWN = 6; // endpoints of a route; the panel has all of them
const BEYOND = 400; // pixels above and below the visible part that are drawn, too
const narrow = matchMedia("(max-width: 760px)");

const SORTS = {
  name: null,
  trouble: (route) => troubleOf(route),
  rate: (route) => rateOf(route.name, "up") + rateOf(route.name, "down"),
  opened: (route) => rateOf(route.name, "opened"),
  open: (route) => route.open,
};
const SHOWS = {
  all: () => true,
  trouble: (route) => troubleOf(route) > 1,
  held: (route) => Boolean(route.hold) || waiting(route) > 0,
  changed: (route) => Boolean(route.differs),
};

const want = { text: "", show: "all", sort: "name" };
const rows = new Map(); // by name: the parts of a row that is in the document
let order = [], tops = [], total = 0, select = () => {}, selected = "";

const heightOf = (route) => {
  const ends = Math.min(route.endpoints.length, SHOWN) + (route.endpoints.length > SHOWN ? 1 : 0);
  return narrow.matches ? 108 + 30 * ends : Math.max(78, 30 * ends + 18);
};

export function begin(onSelect) {
  select = onSelect;
  byId("search").addEventListener("input", (event) => { want.text = event.target.value.trim().toLowerCase(); arrange(); });
  byId("sort").addEventListener("change", (event) => { want.sort = event.target.value; arrange(); });
  for (const [show, word] of [["all", "All"], ["trouble", "Trouble"], ["held", "Held"], ["changed", "Changed"]]) {
    byId("chips").append(el("button", { type: "button", "aria-pressed": String(show === want.show), "data-show": show,
      on: { click: () => { want.show = show; arrange(); } } }, word));
  }
  byId("scroll").addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  byId("routes").addEventListener("keydown", walk);
  new ResizeObserver(() => arrange()).observe(byId("scroll"));
  live.addEventListener("look", arrange);
}

export function mark(name) {
  selected = name;
  draw();
}

function arrange() {
  const { text } = want;
  const words = text.split(/\s+/).filter(Boolean);
  order = [...live.routes.values()].filter((route) => SHOWS[want.show](route) && matches(route, words));
  order.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const key = SORTS[want.sort];
  if (key) {
    const keys = new Map(order.map((route) => [route, key(route)]));
    order.sort((a, b) => keys.get(b) - keys.get(a));
  }
  tops = [];
  total = 0;
  for (const route of order) { tops.push(total); total += heightOf(route); }
  byId("routes").style.height = `${total}px`;
  for (const chip of byId("chips").children) chip.setAttribute("aria-pressed", String(chip.dataset.show === want.show));
  told(byId("count"), order.length === live.routes.size ? `${order.length} routes` : `${order.length} of ${live.routes.size} routes`);
  draw();
}

function matches(route, words) {
  if (!words.length) return true;
  const text = `${route.name} ${route.listen} ${route.plane} ${route.endpoints.map((one) => one.endpoint).join(" ")}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function draw() {
  const scroll = byId("scroll"), list = byId("routes");
  const from = scroll.scrollTop - BEYOND, to = scroll.scrollTop + scroll.clientHeight + BEYOND;
  let first = 0, last = order.length;
  while (first < last) { const half = (first + last) >> 1; if (tops[half] + 60 < from) first = half + 1; else last = half; }
  const seen = new Set();
  let before = null;
  for (let index = first; index < order.length && tops[index] < to; index += 1) {
    const route = order[index];
    seen.add(route.name);
    let row = rows.get(route.name);
    if (!row) rows.set(route.name, (row = made(route.name)));
    const place = before ? before.nextSibling : list.firstChild;
    if (row.item !== place) list.insertBefore(row.item, place);
    before = row.item;
    row.item.style.top = `${tops[index]}px`;
    row.item.style.height = `${heightOf(route)}px`;
    row.item.setAttribute("aria-posinset", index + 1);
    row.item.setAttribute("aria-setsize", order.length);
    show(row, route);
  }
  for (const [name, row] of rows) if (!seen.has(name)) { row.item.remove(); rows.delete(name); }
  const nothing = byId("nothing");
  if (!order.length && live.program) {
    if (!nothing) list.after(el("p", { id: "nothing", class: "nothing" }, live.routes.size ? "No route matches." : "There are no routes."));
  } else nothing?.remove();
}

function made(name) {
  const row = {
    clients: el("div", { class: "clients" }),
    into: svg("svg", { class: "bands", preserveAspectRatio: "none", "aria-hidden": "true" }),
    card: el("button", { type: "button", class: "card", "aria-controls": "panel", "data-route": name, on: { click: () => select(name) } }),
    out: svg("svg", { class: "bands", preserveAspectRatio: "none", "aria-hidden": "true" }),
    ends: el("ul", { class: "ends-of", "aria-label": `Endpoints of ${name}` }),
    seen: "",
  };
  row.item = el("li", { class: "route" }, row.clients, el("div", { class: "bands-in" }, row.into),
    el("div", {}, row.card), el("div", { class: "bands-out" }, row.out), row.ends);
  return row;
}

function show(row, route) {
  const rates = ["opened", "up", "down"].map((field) => rateOf(route.name, field));
  const flows = flowsOf(route, rates);
  const now = JSON.stringify([route, rates, flows, selected === route.name, narrow.matches]);
  if (now === row.seen) return;
  row.seen = now;
  const [opened, up, down] = rates, held = waiting(route);
  row.clients.replaceChildren(
    el("b", {}, number(route.open)), el("span", { class: "quiet" }, "open"),
    held ? el("span", { class: "waiting" }, Array.from({ length: Math.min(held, 12) }, () => el("i")), `${number(held)} wait`) : null ?? "");
  row.card.setAttribute("aria-expanded", String(selected === route.name));
  row.card.replaceChildren(
    el("span", { class: "title" }, el("b", {}, route.name), el("span", { class: "listen mono" }, route.listen)),
    el("span", { class: "pills" },
      el("span", { class: route.plane === "kernel" ? "pill off" : "pill", title: route.why || null }, route.plane),
      route.hold ? el("span", { class: "pill warn" }, "held") : null,
      troubleOf(route) === 3 ? el("span", { class: "pill bad" }, "no endpoint") : null,
      route.differs ? el("span", { class: "pill", title: route.differs }, "changed") : null),
    el("span", { class: "facts" }, el("span", {}, `${number(opened)} new/s`),
      el("span", {}, `↑ ${size(up)}/s`), el("span", {}, `↓ ${size(down)}/s`)));
  const shown = route.endpoints.slice(0, SHOWN), more = route.endpoints.length - shown.length;
  row.ends.replaceChildren(...shown.map(endpoint), ...(more > 0 ? [el("li", { class: "more" }, `and ${more} more`)] : []));
  if (!narrow.matches) bands(row, route, shown, flows);
}

function endpoint(one) {
  const state = stateOf(one);
  return el("li", { class: state.tone, title: one.reason || null },
    el("span", { class: "where mono" }, bare(one.endpoint)),
    el("span", { class: "word" }, `${state.sign} ${state.word}`),
    el("span", { class: "open" }, number(one.open), el("span", { class: "sr" }, " open")));
}

// Bytes a second of each endpoint. The kernel plane does not count them by endpoint: there they are
// shared out like the open sessions.
function flowsOf(route, [opened, up, down]) {
  const all = up + down + 500 * opened;
  const known = route.endpoints.map((one) => live.flows.get(`${route.name} ${one.endpoint}`) ?? 0);
  const told = known.reduce((sum, one) => sum + one, 0);
  const open = route.endpoints.reduce((sum, one) => sum + one.open, 0);
  const left = Math.max(0, all - told);
  const usable = route.endpoints.filter((one) => one.usable).length;
  return route.endpoints.map((one, index) => {
    const share = open ? one.open / open : one.usable ? 1 / usable : 0;
    return Math.round(known[index] + (left > all / 10 ? left * share : 0));
  });
}

function bands(row, route, shown, flows) {
  const height = heightOf(route) - 10, middle = height / 2;
  const all = flows.reduce((sum, one) => sum + one, 0), wide = width(all);
  const shut = route.hold ? " shut" : "";
  for (const part of [row.into, row.out]) {
    part.setAttribute("viewBox", `0 0 100 ${height}`);
    part.setAttribute("class", route.plane === "kernel" ? "bands kernel" : "bands");
  }
  row.into.replaceChildren(
    svg("path", { class: `band${all ? "" : " idle"}${shut}`, d: shape(middle, middle, wide) }),
    all ? svg("path", { class: pace(all), d: line(middle, middle) }) : "");
  const widths = shown.map((_, index) => width(flows[index]));
  const starts = stacked(widths, middle), count = row.ends.children.length;
  row.out.replaceChildren(...shown.flatMap((one, index) => {
    const end = middle + (index - (count - 1) / 2) * 30;
    const idle = flows[index] ? "" : " idle";
    return [svg("path", { class: `band${idle}${one.usable || flows[index] ? "" : " shut"}`, d: shape(starts[index], end, widths[index]) }),
      flows[index] ? svg("path", { class: pace(flows[index]), d: line(starts[index], end) }) : ""];
  }));
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity }[event.key];
  const name = event.target.closest("[data-route]")?.dataset.route;
  if (!step || !name) return;
  event.preventDefault();
  const here = order.findIndex((route) => route.name === name);
  reveal(order[Math.min(order.length - 1, Math.max(0, here + step))]?.name);
}

export function reveal(name) {
  const index = order.findIndex((route) => route.name === name);
  if (index < 0) return;
  const scroll = byId("scroll"), top = tops[index], height = heightOf(order[index]);
  if (top < scroll.scrollTop) scroll.scrollTop = top;
  if (top + height > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + height - scroll.clientHeight;
  draw();
  rows.get(name)?.card.focus({ preventScroll: true });
}
