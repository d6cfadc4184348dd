// The last ten minutes of numbers, as ring buffers of floats; a route without any change has none.

export const SPAN = 600; // seconds
const POINTS = 300;

export class Ring {
  constructor(fields) {
    this.fields = fields;
    this.data = new Float32Array(POINTS * fields);
    this.when = new Float64Array(POINTS);
    this.length = 0;
    this.next = 0;
  }

  add(when, values) {
    this.when[this.next] = when;
    this.data.set(values, this.next * this.fields);
    this.next = (this.next + 1) % POINTS;
    this.length = Math.min(this.length + 1, POINTS);
  }

  // The points of one field since `from`, the oldest first.
  of(field, from) {
    const found = [];
    for (let index = 0; index < this.length; index += 1) {
      const place = (this.next - this.length + index + POINTS) % POINTS;
      if (this.when[place] >= from) found.push([this.when[place], this.data[place * this.fields + field]]);
    }
    return found;
  }

  last(field) {
    return this.length ? this.data[((this.next - 1 + POINTS) % POINTS) * this.fields + field] : 0;
  }
}

// A counter that began again from zero counts as 0, not as a negative number.
export const rate = (now, before, seconds) => (seconds > 0 ? Math.max(0, now - before) / seconds : 0);

// The value below which `share` of the values in the buckets are; null: there are none.
export function quantile(buckets, share) {
  const total = buckets.reduce((sum, one) => sum + one.count, 0);
  if (!total) return null;
  let passed = 0, lower = 0;
  for (const { at_most: upper, count } of buckets) {
    if (passed + count >= share * total && count) {
      return upper === null ? lower : lower + ((upper - lower) * (share * total - passed)) / count;
    }
    passed += count;
    lower = upper ?? lower;
  }
  return lower;
}
