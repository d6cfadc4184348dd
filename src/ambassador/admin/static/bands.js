// The geometry of bands: pure, in pixels of height, and with a width of 100 that is stretched.

// How wide a band is for so many bytes a second: each ten times as much is 4 pixels more.
export const width = (flow) => (flow > 0 ? Math.min(24, 3 + 4 * Math.log10(1 + flow / 300)) : 1.5);

export const pace = (flow) => (flow > 1e6 ? "drift fast" : flow > 3e4 ? "drift" : "drift slow");

// A band from height `from` on the left to `to` on the right.
export function shape(from, to, wide) {
  const half = wide / 2;
  const upper = `M0 ${from - half}C50 ${from - half} 50 ${to - half} 100 ${to - half}`;
  return `${upper}L100 ${to + half}C50 ${to + half} 50 ${from + half} 0 ${from + half}Z`;
}

export const line = (from, to) => `M0 ${from}C50 ${from} 50 ${to} 100 ${to}`;

// Where bands of these widths begin: one below the other, in the middle of a height.
export function stacked(widths, middle) {
  const all = widths.reduce((sum, one) => sum + one, 0);
  let top = middle - all / 2;
  return widths.map((one) => { top += one; return top - one / 2; });
}
