// What stands in one column, as a person reads it, and the field in which a person says what is right.
import { RAGS, STATUS, agencyName, day, label, londonParts, londonTime, ragWord, when, words } from "../format.js";
import { html } from "../html.js";
import { DateField, DateTimeField, Field, Radios, Select, Textarea, dateFault } from "../parts/index.js";

const LISTS = new Map([
    ["primary_need", "primary_need"],
    ["source", "referral_source"],
    ["outcome", "referral_outcome"],
    ["closure_reason", "closure_reason"],
    ["sex", "sex"],
]);
const YES_NO = new Set(["nfa", "restricted", "quiet", "protected", "needs_consent", "present", "sensitive"]);
const LONG = new Set(["summary", "body", "note", "decision", "reason", "question"]);
const CHOICES = new Map([
    ["rag", RAGS.map((value) => ({ value, text: ragWord(value) }))],
    ["status", Object.entries(STATUS).map(([value, text]) => ({ value, text }))],
    ["subject_kind", [{ value: "child", text: "A child" }, { value: "adult", text: "An adult" }]],
]);
const ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const isTime = (column) => /_at$/.test(column) || column === "until" || column === "hold_until";
const isDate = (column) => /_on$/.test(column);
const isAgency = (column) => column === "agency" || /_agency$/.test(column);

// null: a value that names only what the programs know, such as an id. Times come as milliseconds.
export function reading(reference, column, value, now) {
    if (value === null || value === undefined || value === "") return "nothing";
    const text = String(value);
    if (ID.test(text)) return reference?.people?.find((p) => p.id === text)?.name ?? null;
    if (isTime(column) && /^\d{1,15}$/.test(text)) return when(new Date(Number(text)).toISOString(), now);
    if (isDate(column)) return day(text);
    if (isAgency(column)) return agencyName(reference, text);
    if (YES_NO.has(column)) return text === "1" ? "yes" : text === "0" ? "no" : text;
    const known = CHOICES.get(column)?.find((c) => c.value === text);
    if (known) return known.text;
    return LISTS.has(column) ? label(reference, LISTS.get(column), text) : text;
}

// The field for the right value of a column. value: what was typed; see typed() for what to send.
export function Right({ id, column, reference, value, onChange, error }) {
    const field = { id, label: "What is right", hint: "Leave it empty if nothing is to stand there.", value, onChange, error };
    const items = CHOICES.get(column) || (isAgency(column) && reference?.agencies?.map((a) => ({ value: a.code, text: a.name })))
        || (LISTS.has(column) && reference?.codes?.[LISTS.get(column)]?.map((c) => ({ value: c.code, text: c.label })));
    if (items) return html`<${Select} ...${field} hint=${null} empty="Nothing" items=${items} />`;
    if (YES_NO.has(column)) return html`<${Radios} ...${field} hint=${null} inline items=${[{ value: "true", text: "Yes" }, { value: "false", text: "No" }]} />`;
    if (isDate(column)) return html`<${DateField} ...${field} />`;
    if (isTime(column)) return html`<${DateTimeField} ...${field} value=${value || londonParts()} />`;
    return LONG.has(column) ? html`<${Textarea} ...${field} rows=${4} />` : html`<${Field} ...${field} />`;
}
// → {value} or {fault: what is wrong with it, in words}
export function typed(column, value) {
    if (isDate(column)) {
        const fault = dateFault(value);
        return fault ? { fault } : { value: value || null };
    }
    if (!isTime(column)) return { value: value || null };
    const at = value || londonParts();
    if (!at.date) return { value: null };
    const time = londonTime(at.date, at.time);
    return time ? { value: time } : { fault: "Give a real date and a time, such as 14:05" };
}
