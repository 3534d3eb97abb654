// What a learned baseline saw and expected: a line over the band that was normal, what lay outside of it marked.
import { element, svg } from "/page/dom.js";
import { bytes, clock, milliseconds, percent, rate } from "/page/format.js";

const WIDTH = 480;
const HEIGHT = 96;
const PAD = 5;

const UNITS = { s: (value) => milliseconds(value * 1e3), B: bytes, "%": percent, "/s": rate };

export function course({ view, about, unit, at, values, low, high }) {
  const shown = UNITS[unit] ?? ((value) => Number(value.toPrecision(3)).toLocaleString("en-GB"));
  const all = [...values, ...low, ...high].filter((value) => value !== null);
  const least = Math.min(...all);
  const most = Math.max(...all);
  const x = (place) => PAD + (place / Math.max(values.length - 1, 1)) * (WIDTH - 2 * PAD);
  const y = (value) => HEIGHT - PAD - ((value - least) / (most - least || 1)) * (HEIGHT - 2 * PAD);
  const point = (value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`;
  const known = low.map((value, place) => place).filter((place) => low[place] !== null);
  const band = [...known.map((place) => point(high[place], place)), ...known.reverse().map((place) => point(low[place], place))];
  const outside = values.map((value, place) => place).filter((place) => low[place] !== null && (values[place] < low[place] || values[place] > high[place]));
  const last = values.length - 1;
  const usual = low[last] === null ? "nothing known" : `${shown(low[last])} to ${shown(high[last])}`;
  const said = `${shown(values[last])}, expected ${usual}`;
  return element("figure", { class: "course" },
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": said },
      svg("polygon", { class: "usual", points: band.join(" ") }),
      svg("polyline", { class: "seen", points: values.map(point).join(" ") }),
      ...outside.map((place) => svg("circle", { class: "odd", cx: x(place).toFixed(1), cy: y(values[place]).toFixed(1), r: 2.5 }))),
    element("figcaption", { title: view, text: `${said}: ${about} (from ${clock(at[0])}).` }));
}
