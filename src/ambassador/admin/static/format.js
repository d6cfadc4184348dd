// Numbers and times for people, in the words of the command line.

export function size(count) {
  let amount = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (amount < 1024) return `${unit === "B" || amount >= 100 ? amount.toFixed(0) : amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} TiB`;
}

export function number(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}

export function age(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const left = Math.floor(seconds);
  for (const [larger, unit, smaller, small] of [[86400, "d", 3600, "h"], [3600, "h", 60, "m"]]) {
    if (left >= larger) return `${Math.floor(left / larger)} ${unit} ${Math.floor((left % larger) / smaller)} ${small}`;
  }
  return left >= 60 ? `${Math.floor(left / 60)} m ${left % 60} s` : `${left} s`;
}

export function duration(seconds) {
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  return seconds < 1 ? `${(seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`;
}

export const moment = (seconds) => new Date(seconds * 1000).toLocaleString(undefined, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

export const counted = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
