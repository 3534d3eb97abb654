// Expands each calendar file named on the command line with ical.js and prints, as JSON, the starts by file.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import ICAL from "ical.js";

ICAL.design.strict = false;
const FIRST = 1995, LAST = 2030, MOST = 20000;

function told(time) {
  const local = time.toString().replace("Z", "");
  if (time.isDate) return { local, zone: "date" };
  const zone = time.zone?.tzid;
  if (zone === "UTC") return { local, zone: "UTC" };
  if (zone && zone !== "floating" && ICAL.TimezoneService.has(zone)) {
    return { local: time.convertToZone(ICAL.Timezone.utcTimezone).toString().replace("Z", ""), zone: "UTC" };
  }
  return { local, zone: time.timezone && time.timezone !== "floating" && time.timezone !== "Z" ? time.timezone : "" };
}

function expanded(calendar) {
  ICAL.TimezoneService.reset();
  for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
  const alone = calendar.name === "vevent";
  const components = (alone ? [calendar] : calendar.getAllSubcomponents("vevent")).filter((one) => one.hasProperty("dtstart"));
  const masters = new Map(), exceptions = [];
  for (const component of components) {
    const uid = component.getFirstPropertyValue("uid") ?? `#${masters.size}`;
    if (component.hasProperty("recurrence-id")) exceptions.push(component);
    else masters.set(uid, [...(masters.get(uid) ?? []), component]);
  }
  const starts = [];
  for (const [uid, found] of masters) {
    for (const component of found) {
      const event = new ICAL.Event(component, { strictExceptions: true });
      for (const exception of exceptions) {
        if (exception.getFirstPropertyValue("uid") === uid) event.relateException(exception);
      }
      const iterator = event.iterator();
      for (let count = 0, next; count < MOST && (next = iterator.next()); count++) {
        if (next.year > LAST) break;
        const start = event.isRecurring() ? event.getOccurrenceDetails(next).startDate : event.startDate;
        if (start.year >= FIRST && start.year <= LAST) starts.push(told(start));
        if (!event.isRecurring()) break;
      }
    }
  }
  for (const exception of exceptions) {
    if (!masters.has(exception.getFirstPropertyValue("uid"))) starts.push(told(new ICAL.Event(exception).startDate));
  }
  return starts;
}

const result = {};
for (const file of process.argv.slice(2)) {
  try {
    const parsed = ICAL.parse(readFileSync(file, "utf-8").replace(/^\uFEFF/, ""));
    const roots = Array.isArray(parsed[0]) ? parsed : [parsed];
    result[basename(file)] = roots.flatMap((root) => expanded(new ICAL.Component(root)));
  } catch (error) {
    result[basename(file)] = { error: String(error.message ?? error) };
  }
}
console.log(JSON.stringify(result));
