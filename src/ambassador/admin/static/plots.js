// Small plots of the last ten minutes, each with its scale.

import { el, svg } from "./dom.js";

const HEIGHT = 66;

// `curves` are lists of [when, value]; `say` makes a text of a value. The newest value is on the
// right; the plot begins at `from`.
export function plot(title, curves, names, from, now, say) {
  const span = now - from;
  const top = Math.max(...curves.flatMap((points) => points.map(([, value]) => value)), 0);
  const x = (when) => ((when - from) / span) * 600;
  const y = (value) => HEIGHT - 3 - (top ? (value / top) * (HEIGHT - 9) : 0);
  const drawing = svg("svg", { viewBox: `0 0 600 ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${title}: ${names.map((name, index) => `${name} ${say(lastOf(curves[index]))}`).join(", ")}; at most ${say(top)}` });
  curves.forEach((points, index) => {
    if (!points.length) return;
    const d = points.map(([when, value], place) => `${place ? "L" : "M"}${x(when).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    if (!index && curves.length < 3) drawing.append(svg("path", { class: "area", d: `${d}L${x(points.at(-1)[0]).toFixed(1)} ${HEIGHT}L${x(points[0][0]).toFixed(1)} ${HEIGHT}Z` }));
    drawing.append(svg("path", { class: `curve ${["", "second", "third"][index] ?? ""}`, d }));
  });
  return el("figure", {},
    el("figcaption", {}, title, el("span", {}, `top ${say(top)}`)), drawing,
    el("div", { class: "axis", "aria-hidden": "true" }, el("span", {}, span < 120 ? `${span.toFixed(0)} s ago` : `${(span / 60).toFixed(0)} min ago`), el("span", {}, "now")),
    el("p", { class: "key" }, names.map((name, index) => el("span", {}, el("i", { class: ["", "second", "third"][index] ?? "" }), name, " ", el("b", {}, say(lastOf(curves[index])))))));
}

const lastOf = (points) => points.at(-1)?.[1] ?? 0;
