// Notices of what has just been done, shown for a while, and read aloud by screen readers.

import { byId, el } from "./dom.js";

const SEEN = 9000; // milliseconds

export function notice(text, tone = "") {
  const said = el("p", { class: tone }, text);
  byId("notices").append(said);
  setTimeout(() => said.remove(), tone === "bad" ? 2 * SEEN : SEEN);
}

// An error with all its problems and examples, as the API returns them.
export function faultOf(fault) {
  if (!fault.problems.length) return el("div", { class: "told fault", role: "alert" }, el("strong", {}, fault.message));
  return el("div", { class: "told fault", role: "alert" }, fault.problems.map((one) => el("p", {},
    el("strong", {}, `${one.where}: ${one.what}`), one.read ? `, read: ${one.read}` : "",
    one.expected ? el("span", {}, el("br"), `expected: ${one.expected}`) : null,
    one.example ? el("span", {}, el("br"), "example: ", el("code", {}, one.example)) : null)),
  fault.notes.map((note) => el("p", {}, note)));
}
