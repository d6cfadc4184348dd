// Sends requests to the API, with the key of this tab. The key is in no cookie and in no URL.

import { meta } from "./dom.js";

const PLACE = "ambassador-key";
if (meta("key")) {
  sessionStorage.setItem(PLACE, meta("key"));
  history.replaceState(null, "", location.pathname);
}

export const door = meta("door"); // link, token or open

export function useKey(key) {
  sessionStorage.setItem(PLACE, key);
}

export class Fault extends Error {
  // `status` 0: no answer. `problems` have where, what, read, expected and example.
  constructor(status, told) {
    super(told.message);
    this.status = status;
    this.kind = told.kind;
    this.problems = told.problems ?? [];
    this.notes = told.notes ?? [];
  }
}

const SILENT = { kind: "gone", message: "nobody answers where this page came from" };

export async function ask(path, body) {
  const headers = {};
  const key = sessionStorage.getItem(PLACE);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    headers["Ambassador-Asked"] = (Date.now() / 1000).toFixed(3);
  }
  let answer;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers,
      body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "omit" });
  } catch {
    throw new Fault(0, SILENT);
  }
  const text = await answer.text().catch(() => { throw new Fault(0, SILENT); });
  if (path.startsWith("v1/events") && answer.ok) return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    throw new Fault(answer.status, { kind: "strange", message: `an answer that is not JSON (${answer.status})` });
  }
  if (!answer.ok) throw new Fault(answer.status, told);
  return told;
}

export const query = (fields) => new URLSearchParams(fields).toString();
