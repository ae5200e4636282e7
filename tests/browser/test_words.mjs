// Times, ages and addresses as the pages say them, without a browser: summer time, midnight, birthdays.
import { pathToFileURL } from "node:url";
import path from "node:path";
import { root } from "./packages.mjs";

const f = await import(pathToFileURL(path.join(root, "web/src/format.js")).href);
let failed = 0;
let claims = 0;
const equal = (claim, wanted, got) => {
    claims++;
    if (wanted !== got) failed++;
    console.log(wanted === got ? `ok    ${claim}` : `FAILED ${claim}: wanted ${wanted}, got ${got}`);
};
const now = Date.parse("2026-11-22T14:00:00Z"); // a Sunday, winter

equal("later today, with what is left", "Today at 14:47, 47 minutes left", f.due("2026-11-22T14:47:00Z", now));
equal("overdue, in hours and minutes", "Today at 11:50, 2 hours 10 minutes overdue", f.due("2026-11-22T11:50:00Z", now));
equal("yesterday is by the calendar, not by 24 hours", "Yesterday at 23:59", f.when("2026-11-21T23:59:00Z", now));
equal("in the middle of a sentence it is today", "today at 14:47", f.whenMid("2026-11-22T14:47:00Z", now));
equal("where a weekday keeps its capital", "Tue 17 November at 16:00", f.whenMid("2026-11-17T16:00:00Z", now));
equal("tomorrow likewise", "Tomorrow at 00:00", f.when("2026-11-23T00:00:00Z", now));
equal("another day of these months has its weekday", "Wed 18 November at 16:00", f.when("2026-11-18T16:00:00Z", now));
equal("long ago has its year", "18 November 2025 at 16:00", f.when("2025-11-18T16:00:00Z", now));
equal("summer time: 13:00 UTC is two in London", "Today at 14:00", f.when("2026-07-01T13:00:00Z", Date.parse("2026-07-01T08:00:00Z")));
equal("nothing is due at no time", "No time set", f.due(null, now));
equal("days and hours", "2 days 4 hours", f.span(2 * 1440 + 4 * 60 + 5));
equal("one minute is one", "1 minute", f.span(1));
equal("a time in the future", "in 2 hours", f.ago("2026-11-22T16:00:00Z", now));
equal("no contact yet", "never", f.ago(null, now));

equal("the day before a birthday", "11 years", f.age("2014-11-23", null, now));
equal("the birthday itself", "12 years", f.age("2014-11-22", null, now));
equal("a baby in months", "7 months", f.age("2026-04-10", null, now));
equal("an age ends with the death", "80 years", f.age("1940-01-01", "2020-06-01", now));
equal("an unknown birth date has no age", "", f.age(null, null, now));
equal("a birth date in the future has no age", "", f.age("2027-01-01", null, now));

equal("a time of the clock in winter", "2026-11-22T14:05:00.000Z", f.londonTime("2026-11-22", "14:05"));
equal("a time of the clock in summer", "2026-07-01T13:05:00.000Z", f.londonTime("2026-07-01", "14:05"));
equal("an hour that summer time leaves out is no time", null, f.londonTime("2026-03-29", "01:30"));
equal("the 31st of June is no day", null, f.londonTime("2026-06-31", "12:00"));
equal("there and back", "2026-07-01 14:05", Object.values(f.londonParts(f.londonTime("2026-07-01", "14:05"))).join(" "));

equal("initials of a name with a hyphen", "A.M.J.", f.initialsOf("Ann-Marie Jones"));
equal("a list of one", "a", f.list(["a"]));
equal("a list of three", "a, b and c", f.list(["a", "b", "c"]));
equal("a code without a label is said as words", "Nothing relevant", f.label({ codes: {} }, "results", "nothing_relevant"));

console.log(`${failed ? "FAILED" : "passed"}: words, ${claims} claims`);
process.exit(failed ? 1 : 0);
