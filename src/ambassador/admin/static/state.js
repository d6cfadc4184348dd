// The state of an endpoint or a route as a tone, a sign and a word: colour alone is not enough.

export function stateOf(endpoint) {
  if (endpoint.admin === "maint") return { tone: "off", sign: "■", word: "maint" };
  if (endpoint.admin === "drain") return { tone: "warn", sign: "◐", word: "drain" };
  if (endpoint.health === "unhealthy") return { tone: "bad", sign: "▲", word: "unhealthy" };
  if (endpoint.failing) return { tone: "bad", sign: "▲", word: "unreachable" };
  if (endpoint.health === "healthy") return { tone: "good", sign: "●", word: "healthy" };
  return { tone: "calm", sign: "○", word: "not probed" };
}

export const waiting = (route) => route.hold?.waiting ?? route.held;

export function troubleOf(route) {
  if (!route.endpoints.some((one) => one.usable) && !route.hold) return 3;
  if (route.endpoints.some((one) => stateOf(one).tone === "bad") || route.follow?.problems.length) return 2;
  if (route.hold || waiting(route)) return 1;
  return 0;
}

export const bare = (url) => url.replace(/^(tcp|udp):\/\//, "");
