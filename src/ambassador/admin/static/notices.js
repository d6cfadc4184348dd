// What has just been done, said for a while where everybody sees and hears it.

import { byId, el } from "./dom.js";

const SEEN = 9000; // milliseconds

export function notice(text, tone = "") {
  const said = el("p", { class: tone }, text);
  byId("notices").append(said);
  setTimeout(() => said.remove(), tone === "bad" ? 2 * SEEN : SEEN);
}

// An error with all its findings and hints, as the API tells them.
export function faultOf(fault) {
  if (!fault.problems.length) return el("div", { class: "told fault", role: "alert" }, el("strong", {}, fault.message));
  return el("div", { class: "told fault", role: "alert" }, fault.problems.map((one) => el("p", {},
    el("strong", {}, `${one.where}: ${one.what}`), one.read ? `, read: ${one.read}` : "",
    one.expected ? el("span", {}, el("br"), `expected: ${one.expected}`) : null,
    one.example ? el("span", {}, el("br"), "example: ", el("code", {}, one.example)) : null)),
  fault.notes.map((note) => el("p", {}, note)));
}
