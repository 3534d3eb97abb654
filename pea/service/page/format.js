// Figures in words: three digits and a unit, and a dash where nothing was measured.

export const NONE = "–";
const missing = (value) => value === null || value === undefined || Number.isNaN(value);

function digits(value) {
  return value >= 100 ? String(Math.round(value)) : Number(value.toPrecision(3)).toString();
}

export function milliseconds(ms) {
  if (missing(ms)) return NONE;
  if (ms <= 0) return "0 ms";
  if (ms < 0.001) return `${digits(ms * 1e6)} ns`;
  if (ms < 1) return `${digits(ms * 1e3)} µs`;
  if (ms < 1_000) return `${digits(ms)} ms`;
  if (ms < 60_000) return `${digits(ms / 1e3)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1e3)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

export const microseconds = (us) => milliseconds(missing(us) ? us : us / 1e3);

export function percent(share) {
  if (missing(share)) return NONE;
  const value = 100 * share;
  if (value === 0) return "0 %";
  return value < 0.1 ? "< 0.1 %" : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

export function bytes(count) {
  if (missing(count)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) [count, at] = [count / 1024, at + 1];
  return `${digits(count)} ${units[at]}`;
}

export const whole = (count) => (missing(count) ? NONE : count.toLocaleString("en-GB"));

export function rate(perSecond) {
  if (missing(perSecond)) return NONE;
  if (perSecond === 0) return "0 /s";
  if (perSecond >= 0.1) return `${digits(perSecond)} /s`;
  return `${digits(perSecond * 60)} /min`;
}

export function clock(at) {
  const moment = new Date(at);
  const today = moment.toDateString() === new Date().toDateString();
  const time = moment.toLocaleTimeString("en-GB");
  return today ? time : `${moment.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

export function moment(at) {
  const then = new Date(at);
  return `${then.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })} ${then.toLocaleTimeString("en-GB")}.${String(then.getMilliseconds()).padStart(3, "0")}`;
}

export function ago(at, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - new Date(at)) / 1e3));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

export const words = (state) => state.replaceAll("_", " ");
