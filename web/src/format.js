// Times, dates, names and codes in words. Times are shown in London's time, wherever the browser thinks it is.

const ZONE = "Europe/London";
const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: ZONE, year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", hourCycle: "h23",
});
const longDay = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, weekday: "short", day: "numeric", month: "long" });
const fullDay = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, day: "numeric", month: "long", year: "numeric" });

// The device's clock may differ from that of the computer with the browser, where pages are served on a site's network.
let skew = 0;
export function setClock(iso) {
    const there = Date.parse(iso);
    if (!Number.isNaN(there)) skew = there - Date.now();
}
export const nowMs = () => Date.now() + skew;

function london(ms) {
    const p = {};
    for (const { type, value } of parts.formatToParts(new Date(ms))) p[type] = value;
    return p;
}
const pad = (n) => String(n).padStart(2, "0");
// Days since some day, of the calendar day in London: for "yesterday".
function dayNumber(ms) {
    const p = london(ms);
    return Math.round(Date.UTC(+p.year, p.month - 1, +p.day) / 86400000);
}

// "14:05"
export function clockTime(iso) {
    const p = london(Date.parse(iso));
    return `${p.hour}:${p.minute}`;
}
// "Today at 14:05", "Yesterday at 09:30", "Wed 18 November at 16:00", "18 November 2025 at 16:00"; "" of null
export function when(iso, now = nowMs()) {
    if (!iso) return "";
    const ms = Date.parse(iso);
    if (Number.isNaN(ms)) return "";
    const days = dayNumber(ms) - dayNumber(now);
    const time = clockTime(iso);
    if (days === 0) return `Today at ${time}`;
    if (days === -1) return `Yesterday at ${time}`;
    if (days === 1) return `Tomorrow at ${time}`;
    if (Math.abs(days) < 180) return `${longDay.format(ms).replace(",", "")} at ${time}`;
    return `${fullDay.format(ms)} at ${time}`;
}
// The same in the middle of a sentence: "today at 14:05"; names of days and months keep their capitals.
export function whenMid(iso, now = nowMs()) {
    return when(iso, now).replace(/^(Today|Yesterday|Tomorrow)/, (word) => word.toLowerCase());
}
// Minutes as "47 minutes", "3 hours 10 minutes", "2 days 4 hours", "5 weeks"
export function span(minutes) {
    const n = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
    const all = Math.max(0, Math.floor(Math.abs(minutes)));
    if (all < 60) return n(all, "minute");
    const hours = Math.floor(all / 60);
    if (hours < 24) return all % 60 ? `${n(hours, "hour")} ${n(all % 60, "minute")}` : n(hours, "hour");
    const days = Math.floor(hours / 24);
    if (days < 14) return hours % 24 && days < 7 ? `${n(days, "day")} ${n(hours % 24, "hour")}` : n(days, "day");
    if (days < 61) return n(Math.floor(days / 7), "week");
    if (days < 730) return n(Math.floor(days / 30.44), "month");
    return n(Math.floor(days / 365.25), "year");
}
// "47 minutes left", "2 hours overdue", "due now"
export function left(iso, now = nowMs()) {
    const minutes = (Date.parse(iso) - now) / 60000;
    if (Math.abs(minutes) < 1) return "due now";
    return minutes > 0 ? `${span(minutes)} left` : `${span(minutes)} overdue`;
}
// "Today at 14:05, 47 minutes left"
export function due(iso, now = nowMs()) {
    return iso ? `${when(iso, now)}, ${left(iso, now)}` : "No time set";
}
// "3 minutes ago", "just now", "in 2 hours"
export function ago(iso, now = nowMs()) {
    if (!iso) return "never";
    const minutes = (now - Date.parse(iso)) / 60000;
    if (Math.abs(minutes) < 1) return "just now";
    return minutes > 0 ? `${span(minutes)} ago` : `in ${span(minutes)}`;
}
// "2014-05-06" or a time → "6 May 2014"; "" of null
export function day(value) {
    if (!value) return "";
    const plain = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
    const ms = plain ? Date.UTC(+plain[1], plain[2] - 1, +plain[3], 12) : Date.parse(value);
    return Number.isNaN(ms) ? String(value) : fullDay.format(ms);
}
// Whole years (months under 2) of a birth date today, or on the day of death: "12 years", "7 months", "" of null
export function age(born, died, now = nowMs()) {
    const from = /^(\d{4})-(\d{2})-(\d{2})$/.exec(born || "");
    if (!from) return "";
    const to = /^(\d{4})-(\d{2})-(\d{2})$/.exec(died || today(now));
    const months = (to[1] - from[1]) * 12 + (to[2] - from[2]) - (+to[3] < +from[3] ? 1 : 0);
    if (months < 0) return "";
    if (months < 24) return `${months} month${months === 1 ? "" : "s"}`;
    return `${Math.floor(months / 12)} years`;
}
// Today in London as "2026-11-22"
export function today(now = nowMs()) {
    const p = london(now);
    return `${p.year}-${pad(p.month)}-${pad(p.day)}`;
}
// A day and a time of the clock in London ("2026-11-22", "14:05") → RFC 3339 in UTC; null where there is no such time.
export function londonTime(date, time = "00:00") {
    const d = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date || "");
    const t = /^(\d{1,2}):(\d{2})$/.exec(time || "");
    if (!d || !t || +t[1] > 23 || +t[2] > 59) return null;
    const wanted = Date.UTC(+d[1], d[2] - 1, +d[3], +t[1], +t[2]);
    for (const hours of [0, 1]) {
        const at = wanted - hours * 3600000;
        const p = london(at);
        if (`${p.year}-${pad(p.month)}-${pad(p.day)} ${p.hour}:${p.minute}` === `${date} ${pad(+t[1])}:${t[2]}`)
            return new Date(at).toISOString();
    }
    return null;
}
// The other way, for fields: {date: "2026-11-22", time: "14:05"}
export function londonParts(iso) {
    const p = london(iso ? Date.parse(iso) : nowMs());
    return { date: `${p.year}-${pad(p.month)}-${pad(p.day)}`, time: `${p.hour}:${p.minute}` };
}

// --------------------------------------------------------------------------------------------- names and codes
export function initialsOf(name) {
    const found = (name || "").split(/[\s-]+/).filter(Boolean).map((word) => [...word][0].toUpperCase());
    return found.length ? `${found.join(".")}.` : "";
}
// A person {name, initials, given_names, family_name} as the switch "initials only" wants it.
export function personName(person, initials) {
    if (!person) return "Somebody";
    const name = person.name || [person.given_names, person.family_name].filter(Boolean).join(" ");
    if (initials) return person.initials || initialsOf(name) || "No name";
    return name || "Name not known";
}
export const RAGS = ["red", "amber", "green", "blue"];
export const ragWord = (rag) => ({ red: "Red", amber: "Amber", green: "Green", blue: "Blue" })[rag] || "Not rated";
export const STATUS = { new: "New", gathering: "Gathering", ready: "Ready to meet", decided: "Decided", closed: "Closed" };
export const RESULT = { known: "Known to us", not_known: "Not known to us", nothing_relevant: "Known, nothing relevant" };
export const DUE_WHAT = { reply: "Answers", meeting: "Meeting", decision: "Decision" };

// The label of a code in one of the lists of GET /api/reference; the code itself where the list does not have it.
export function label(reference, list, code) {
    if (code === null || code === undefined) return "";
    return reference?.codes?.[list]?.find((c) => c.code === code)?.label || words(code);
}
// "nothing_relevant" → "Nothing relevant"
export function words(code) {
    const text = String(code ?? "").replace(/_/g, " ");
    return text.charAt(0).toUpperCase() + text.slice(1);
}
export function agencyName(reference, code) {
    return reference?.agencies?.find((a) => a.code === code)?.name || code || "";
}
// [a, b, c] → "a, b and c"
export function list(items) {
    if (items.length < 2) return items.join("");
    return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}
export function count(n, one, many = `${one}s`) {
    return `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;
}
export function bytes(n) {
    if (n < 1000) return count(n, "byte");
    if (n < 1000000) return `${(n / 1000).toFixed(n < 10000 ? 1 : 0)} kB`;
    return `${(n / 1000000).toFixed(1)} MB`;
}
