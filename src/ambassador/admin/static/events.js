// The last events, asked for when there are new ones and they are shown.

import { ask, query } from "./door.js";
import { byId, el } from "./dom.js";
import { moment } from "./format.js";
import { live } from "./live.js";

const KEPT = 200;
const list = el("ol", {});
let last = 0, asking = false;

export function begin() {
  const button = byId("events"), log = byId("log");
  log.append(list);
  log.tabIndex = 0;
  button.addEventListener("click", () => {
    log.hidden = !log.hidden;
    button.setAttribute("aria-expanded", String(!log.hidden));
    if (!log.hidden) update();
  });
  live.addEventListener("look", (event) => { if (event.detail.anew) { last = 0; list.replaceChildren(); } if (!log.hidden) update(); });
}

async function update() {
  if (asking || (last && live.event <= last)) return;
  asking = true;
  try {
    const found = await ask(`v1/events?${query({ after: Math.max(last, live.event - KEPT) })}`);
    list.prepend(...found.reverse().map((one) => el("li", { class: one.level },
      el("span", { class: "quiet" }, moment(one.time)), el("span", {}, one.level), el("span", {}, one.message))));
    last = Math.max(last, ...found.map((one) => one.number));
    while (list.children.length > KEPT) list.lastChild.remove();
  } catch (fault) {
    if (fault.status === undefined) throw fault;
  } finally {
    asking = false;
  }
}
