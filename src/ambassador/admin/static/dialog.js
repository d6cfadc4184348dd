// One question at a time, in a dialog of the browser: it keeps the focus, Escape closes it.

import { el } from "./dom.js";
import { faultOf } from "./notices.js";

// `fields` are elements; `steps` are buttons: each `run` returns true when everything is done, or an
// element with more text. A fault that it throws is shown.
export function question(title, fields, steps) {
  const said = el("div", { "aria-live": "polite" });
  const cancel = el("button", { type: "button" }, "Cancel");
  const box = el("dialog", { "aria-labelledby": "asked" });
  const buttons = steps.map(({ word, run, tone = "", first = false }) => {
    const button = el("button", { type: first ? "submit" : "button", class: tone }, word);
    button.run = async () => {
      for (const one of buttons) one.disabled = true;
      said.replaceChildren(el("p", { class: "quiet" }, "…"));
      try {
        const more = await run();
        if (more === true) box.close();
        else said.replaceChildren(more ?? "");
      } catch (fault) {
        if (fault.status === undefined) throw fault;
        said.replaceChildren(faultOf(fault));
      } finally {
        for (const one of buttons) one.disabled = false;
      }
    };
    button.addEventListener("click", (event) => { event.preventDefault(); if (box.querySelector("form").reportValidity()) button.run(); });
    return button;
  });
  const back = document.activeElement;
  cancel.addEventListener("click", () => box.close());
  box.addEventListener("close", () => { box.remove(); if (back?.isConnected) back.focus(); });
  box.append(el("form", { on: { submit: (event) => event.preventDefault() } },
    el("h2", { id: "asked" }, title), fields, said, el("div", { class: "ends" }, cancel, buttons)));
  document.body.append(box);
  box.showModal();
  return box;
}

export function field(label, control, hint = "") {
  control.id ||= `field-${label.toLowerCase().replace(/\W+/g, "-")}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control, hint ? el("span", { class: "quiet" }, hint) : null);
}

export function tick(label, on = false) {
  const box = el("input", { type: "checkbox" });
  box.checked = on;
  return { box, line: el("label", { class: "tick" }, box, label) };
}

export const touches = (text) => el("p", { class: "told touches" }, text);
