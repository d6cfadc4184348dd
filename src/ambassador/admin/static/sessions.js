// The sessions of a route, sorted and filtered. Only visible ones are drawn; each can be cut.

import { ask, query } from "./door.js";
import { el, told } from "./dom.js";
import { age, number, size } from "./format.js";
import { verbs } from "./verbs.js";

const ROW = 30; // pixels
const MOST = 20000; // sessions that are asked for
const HEADS = [["id", "Session"], ["client", "Client"], ["endpoint", "Endpoint"], ["age", "Age"], ["bytes", "Bytes"]];

export class Sessions {
  constructor(route) {
    this.route = route;
    this.all = [];
    this.want = { text: "", key: "age", down: true };
    this.count = el("span", { class: "quiet", role: "status" });
    this.list = el("div", { role: "presentation" });
    this.rows = el("div", { class: "rows", role: "rowgroup", tabindex: "0", "aria-label": "Sessions", on: { scroll: () => this.draw() } }, this.list);
    this.heads = HEADS.map(([key, word]) => el("span", { role: "columnheader", "data-key": key },
      el("button", { type: "button", on: { click: () => this.sort(key) } }, word)));
    this.table = el("div", { class: "table", role: "table", "aria-label": `Sessions of ${route}` },
      el("div", { role: "rowgroup" }, el("div", { class: "head", role: "row" }, this.heads, el("span", { role: "columnheader" }, el("span", { class: "sr" }, "Cut")))), this.rows);
    const filter = el("input", { type: "search", placeholder: "Filter: client, endpoint, state", "aria-label": "Filter sessions", spellcheck: "false",
      on: { input: (event) => { this.want.text = event.target.value.trim().toLowerCase(); this.arrange(); } } });
    this.node = el("section", { "aria-label": "Sessions" }, el("h3", {}, "Sessions", this.count), el("div", { class: "filter" }, filter), this.table);
    this.arrange();
  }

  async ask() {
    try {
      const found = await ask(`v1/sessions?${query({ route: this.route, limit: MOST })}`);
      this.all = found.sessions.map((one) => ({ ...one, bytes: one.to_upstream + one.to_client,
        text: `${one.id} ${one.client} ${one.endpoint} ${one.state} ${one.plane}`.toLowerCase() }));
      this.total = found.total;
      this.arrange();
    } catch (fault) {
      if (fault.status === undefined) throw fault;
    }
  }

  sort(key) {
    this.want = { ...this.want, key, down: this.want.key === key ? !this.want.down : key === "age" || key === "bytes" };
    this.arrange();
  }

  arrange() {
    const { text, key, down } = this.want;
    const turn = down ? -1 : 1;
    this.shown = text ? this.all.filter((one) => one.text.includes(text)) : [...this.all];
    this.shown.sort((a, b) => turn * (typeof a[key] === "string" ? a[key].localeCompare(b[key], undefined, { numeric: true }) : (a[key] ?? -1) - (b[key] ?? -1)));
    for (const head of this.heads) head.setAttribute("aria-sort", head.dataset.key === key ? (down ? "descending" : "ascending") : "none");
    this.table.setAttribute("aria-rowcount", this.shown.length + 1);
    this.list.style.height = `${this.shown.length * ROW}px`;
    const left = (this.total ?? 0) - this.all.length;
    told(this.count, `${number(this.shown.length)} of ${number(this.total ?? 0)}${left > 0 ? `, ${left} not listed` : ""}`);
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.rows.scrollTop / ROW) - 5);
    const some = this.shown.slice(first, first + Math.ceil((this.rows.clientHeight || 300) / ROW) + 10);
    const here = document.activeElement?.dataset?.session;
    this.list.replaceChildren(...some.map((one, index) => this.row(one, first + index)));
    if (here) this.list.querySelector(`[data-session="${CSS.escape(here)}"]`)?.focus({ preventScroll: true });
  }

  row(one, index) {
    const row = el("div", { class: "row", role: "row", "aria-rowindex": index + 2, title: `${one.client} ${one.endpoint} ${one.state}, ${one.plane}` },
      el("span", { role: "cell", class: "mono" }, one.id), el("span", { role: "cell" }, one.client),
      el("span", { role: "cell" }, one.endpoint || one.state), el("span", { role: "cell" }, one.age === null ? "-" : age(one.age)),
      el("span", { role: "cell" }, size(one.bytes)),
      el("span", { role: "cell" }, el("button", { type: "button", class: "danger", "data-session": one.id, "aria-label": `Cut session ${one.id}`, on: { click: () => verbs.cutOne(one) } }, "Cut")));
    row.style.top = `${index * ROW}px`;
    return row;
  }
}
