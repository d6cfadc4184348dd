// The page as a whole: its first request, its head and banner, and its keys.

import { byId, el, meta, told } from "./dom.js";
import { door, useKey } from "./door.js";
import { age, number, size } from "./format.js";
import { begin as looking, live, look, rateOf } from "./live.js";
import * as events from "./events.js";
import { notice } from "./notices.js";
import * as panel from "./panel.js";
import * as picture from "./picture.js";
import { troubleOf, waiting } from "./state.js";
import { verbs } from "./verbs.js";

picture.begin((name) => {
  if (panel.shown() === name) { panel.close(); return; }
  panel.open(name);
  picture.mark(name);
});
panel.begin((left) => { picture.mark(""); picture.reveal(left); });
events.begin();

const open = () => [...live.routes.values()].reduce((sum, route) => sum + route.open, 0);
byId("reload").addEventListener("click", () => verbs.reload(open()));

live.addEventListener("look", () => {
  for (const id of ["main"]) byId(id).hidden = false;
  byId("door").hidden = true;
  document.body.classList.remove("stale");
  const { program } = live;
  told(byId("name"), program.place?.name ? `Ambassador ${program.place.name}` : "Ambassador");
  document.title = program.place?.name ? `${program.place.name} · Ambassador` : "Ambassador";
  told(byId("program"), `${program.phase} for ${age(program.uptime)} · ${program.version} · pid ${program.pid}`);
  state("good", "live");
  totals();
  banner(program);
});

live.addEventListener("lost", ({ detail }) => {
  document.body.classList.add("stale");
  const since = new Date(live.lost).toLocaleTimeString();
  state("bad", "lost");
  warn(`No answer since ${since}; the page shows the last state and asks again every 2 seconds. (${detail.message})`);
});
live.addEventListener("back", () => notice("the ambassador answers again"));
live.addEventListener("another", ({ detail }) => notice(`another process answers now: pid ${detail.pid}, ${detail.version}`));

live.addEventListener("locked", ({ detail }) => {
  byId("main").hidden = true;
  state("warn", "not let in");
  const form = byId("door");
  form.hidden = false;
  const typed = byId("token").value;
  const asks = door === "token";
  told(byId("door-why"), asks ? (typed ? "That is not the token of this ambassador." : "This ambassador asks for its token (AMBASSADOR_API_TOKEN_FILE).") : `${detail.message}.`);
  for (const part of form.querySelectorAll("label, input, button")) part.hidden = !asks;
  if (asks) byId("token").focus();
});
byId("door").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("token").value.trim());
  look();
});

function state(tone, word) {
  byId("link").className = `pill ${tone}`;
  told(byId("link"), word);
}

function warn(text, ...more) {
  const place = byId("banner");
  place.hidden = !text;
  if (place.dataset.text !== text) { place.dataset.text = text; place.replaceChildren(text, ...more); }
}

function banner(program) {
  const mine = meta("version"), lines = [];
  if (program.phase !== "ready") lines.push(`The ambassador is ${program.phase}.`);
  if (program.version !== mine) lines.push(`This page is of version ${mine}, the ambassador of ${program.version}: fields that one of them does not know are left out.`);
  for (const source of program.sources ?? []) if (source.error) lines.push(`${source.name}: ${source.error}`);
  if (program.unkept) lines.push(`Changes are not kept: ${program.unkept}`);
  const again = program.version !== mine && door !== "link" ? [el("button", { type: "button", on: { click: () => location.reload() } }, "Load the page again")] : [];
  warn(lines.join(" "), ...again);
}

function totals() {
  const routes = [...live.routes.values()];
  const sum = (of) => routes.reduce((all, one) => all + of(one), 0);
  const moved = (field) => [...live.rates.keys()].reduce((all, name) => all + rateOf(name, field), 0);
  const facts = [["routes", number(routes.length)], ["open", number(sum((one) => one.open))], ["new/s", number(moved("opened"))],
    ["up", `${size(moved("up"))}/s`], ["down", `${size(moved("down"))}/s`], ["refused", number(sum((one) => one.refused))],
    ["wait", number(sum(waiting))], ["in trouble", number(routes.filter((one) => troubleOf(one) > 1).length)]];
  const list = byId("totals");
  if (list.children.length !== facts.length) list.replaceChildren(...facts.map(([word]) => el("div", {}, el("dt", {}, word), el("dd", {}))));
  facts.forEach(([, text], index) => told(list.children[index].lastChild, text));
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.("input, textarea, select");
  if (event.key === "/" && !typing) { event.preventDefault(); byId("search").focus(); }
  if (event.key === "Escape" && !typing) panel.close();
});

looking();
