// Requests to the service. Polls ask not to be traced, so that they do not push work out of the recent traces.

import { toLogin } from "/page/session.js";

const TIMEOUT_MS = 10_000;

function untraced() {
  const hex = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");
  return { traceparent: `00-${hex(16)}-${hex(8)}-00` };
}

// A problem (RFC 9457) as an exception.
export class Problem extends Error {
  constructor(details) {
    super(details.detail ?? details.title ?? "the request failed");
    this.details = details;
  }
}

async function answer(response) {
  const body = await response.json().catch(() => ({ title: `${response.status} ${response.statusText}` }));
  if (response.status === 401) toLogin();
  if (!response.ok) throw new Problem({ status: response.status, ...body });
  return body;
}

export async function poll(path) {
  return answer(await fetch(path, { headers: untraced(), signal: AbortSignal.timeout(TIMEOUT_MS) }));
}

export async function submit(capability, input) {
  const body = JSON.stringify({ capability, input });
  return answer(await fetch("/v1/tasks", { method: "POST", headers: { "Content-Type": "application/json" }, body }));
}

export async function cancel(task) {
  return answer(await fetch(task.links.self, { method: "DELETE" }));
}

// The task when it has ended: its event stream ends with it.
export async function ended(task) {
  await (await fetch(task.links.events, { headers: untraced() })).text();
  return poll(task.links.self);
}
