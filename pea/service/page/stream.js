// The dashboard as it changes. The browser resumes a broken stream by itself; a service that was restarted is met anew.

import { checkLogin } from "/page/session.js";

const AGAIN_MS = 1_500;

export class Live {
  constructor(changed, mood) {
    this.parts = new Map();
    this.changed = changed;
    this.mood = mood;
    this.window = "15m";
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
  }

  open(window = this.window) {
    this.close();
    this.window = window;
    const source = (this.source = new EventSource(`/v1/stream?window=${window}`));
    source.addEventListener("snapshot", (event) => { this.parts.clear(); this.take(event); });
    source.addEventListener("delta", (event) => this.take(event));
    source.addEventListener("error", () => {
      this.mood("gone", "the service does not answer; trying again");
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      checkLogin(); // a stream does not say why it was refused
      this.again = setTimeout(() => this.open(), AGAIN_MS);
    });
  }

  close() {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }

  take(event) {
    const parts = Object.entries(JSON.parse(event.data));
    for (const [name, value] of parts) {
      if (value === null && name.startsWith("agent/")) this.parts.delete(name);
      else this.parts.set(name, value);
    }
    this.changed(new Set(parts.map(([name]) => name)), event.type === "snapshot");
  }

  agents() {
    return [...this.parts].filter(([name]) => name.startsWith("agent/")).map(([, row]) => row);
  }
}
