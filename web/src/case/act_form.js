/* One form for one act. A page says which act, which fields, what the button does and what happens next. This asks
 * for what is missing, sends once, and on any failure keeps every value and says what to do. A draft outlives being
 * signed out and a wrong click (draft.js); nothing of it is written to where it could be read while the device is
 * locked.
 *
 * A field: {name, kind: text | area | select | radios | checks | yes | date | when, label, hint, items: [[value,
 * text, hint]], value (to begin with), need (what to say when it is empty), check(value, values) → what is wrong or
 * null, shown(values), optional (adds the word), send: false (not a member of the body), rows}. */
import { useState } from "preact/hooks";
import { act } from "../api.js";
import { useDraft } from "../draft.js";
import { londonTime, nowMs } from "../format.js";
import { html } from "../html.js";
import { Link } from "../router.js";
import {
    Button,
    Checkbox,
    Checkboxes,
    DateField,
    DateTimeField,
    ErrorSummary,
    Field,
    Form,
    Radios,
    Select,
    Textarea,
    dateFault,
} from "../parts/index.js";

const asItems = (items) => items.map(([value, text, hint]) => ({ value, text, hint }));
const blankOf = (f) => (f.kind === "checks" ? [] : f.kind === "yes" ? false : f.kind === "when" ? { date: "", time: "" } : "");
const isShown = (f, values) => f.shown === undefined || f.shown(values);

function isBlank(f, v) {
    if (f.kind === "checks") return v.length === 0;
    if (f.kind === "when") return !v.date && !v.time;
    return typeof v === "string" && v.trim() === "";
}

function fault(f, v, values) {
    if (isBlank(f, v)) return (typeof f.need === "function" ? f.need(values) : f.need) || null;
    if (f.kind === "date" && dateFault(v)) return dateFault(v);
    if (f.kind === "when") {
        if (dateFault(v.date) || !v.date) return dateFault(v.date) || "Say on which day as well";
        const at = londonTime(v.date, v.time || "00:00");
        if (at === null) return "The time must be one of the clock, such as 14:05";
        if (f.past && Date.parse(at) > nowMs() + 60000) return "This time is still to come: it must be now or earlier";
        if (f.future && Date.parse(at) < nowMs()) return "This time is past: it must be one still to come";
    }
    return f.check?.(v, values) || null;
}

// What is missing or wrong among the fields that are shown: [{id, name, message}], in their order.
export function faults(fields, values, prefix) {
    return fields
        .filter((f) => isShown(f, values))
        .map((f) => ({ id: `${prefix}-${f.name}`, name: f.name, message: fault(f, values[f.name], values) }))
        .filter((found) => found.message !== null);
}

const sent = (f, v) => {
    if (f.kind === "yes") return v;
    if (isBlank(f, v)) return null;
    return f.kind === "when" ? londonTime(v.date, v.time || "00:00") : v;
};
// Only what is shown is sent: a choice that hides a field takes back what was typed there.
export function bodyOf(fields, values) {
    const body = {};
    for (const f of fields) if (f.send !== false && isShown(f, values)) body[f.name] = sent(f, values[f.name]);
    return body;
}

function One({ f, id, value, error, onChange }) {
    const all = { id, label: f.label, hint: f.hint, error, value, onChange, optional: f.optional };
    switch (f.kind) {
        case "area":
            return html`<${Textarea} ...${all} rows=${f.rows} />`;
        case "select":
            return html`<${Select} ...${all} items=${asItems(f.items)} empty=${f.empty === undefined ? "Choose" : f.empty} />`;
        case "radios":
            return html`<${Radios} ...${all} items=${asItems(f.items)} />`;
        case "checks":
            return html`<${Checkboxes} ...${all} items=${asItems(f.items)} />`;
        case "yes":
            return html`<${Checkbox} ...${all} />`;
        case "date":
            return html`<${DateField} ...${all} />`;
        case "when":
            return html`<${DateTimeField} ...${all} />`;
        default:
            return html`<${Field} ...${all} width=${f.width} />`;
    }
}

/* props: name (of the draft: the act and what it is done to), act or run(body), fixed, fields, body(values, body),
 * changes (only what was changed is sent: what others changed meanwhile stays), send (button), next (what happens next), cancel (where to go instead), done(answer, values), grave,
 * children(values), above(values, set) before the fields. fields, send and next may be functions of the values; also() gives one more fault, of what the
 * children ask, or null. */
export function ActForm(props) {
    const prefix = props.prefix ?? "case";
    const first = () => {
        const values = {};
        const list = typeof props.fields === "function" ? props.fields({}) : props.fields;
        for (const f of list) values[f.name] = props.start?.[f.name] ?? f.value ?? blankOf(f);
        return values;
    };
    // What the form began with stays with what was typed: what stands in the case may be another by the time it is sent.
    const [draft, change, forget] = useDraft(props.name, () => {
        const begun = first();
        return { begun, values: begun };
    });
    const { begun, values } = draft;
    const setValues = (next) => change((was) => ({ ...was, values: typeof next === "function" ? next(was.values) : next }));
    const [problem, setProblem] = useState({ turn: 0, errors: [], error: null });
    const [busy, setBusy] = useState(false);
    const fields = (typeof props.fields === "function" ? props.fields(values) : props.fields).map((f) =>
        values[f.name] === undefined ? { ...f, fresh: true } : f,
    );
    const value = (f) => (f.fresh ? (f.value ?? blankOf(f)) : values[f.name]);
    const whole = Object.fromEntries(fields.map((f) => [f.name, value(f)]));

    // An empty text takes away what stood there.
    const onlyChanged = (plain) => {
        const before = bodyOf(fields, Object.fromEntries(fields.map((f) => [f.name, begun[f.name] ?? blankOf(f)])));
        return Object.fromEntries(Object.entries(plain).flatMap(([k, v]) => (v === before[k] ? [] : [[k, v ?? ""]])));
    };

    async function submit() {
        const errors = [...faults(fields, whole, prefix), props.also?.()].filter(Boolean);
        setProblem((was) => ({ turn: was.turn + 1, errors, error: null }));
        if (errors.length) return;
        setBusy(true);
        try {
            const said = bodyOf(fields, whole);
            const plain = { ...props.fixed, ...(props.changes ? onlyChanged(said) : said) };
            const body = props.body ? props.body(whole, plain) : plain;
            const answer = props.run ? await props.run(body, whole) : await act(props.act, body);
            if (!props.keep) forget();
            props.done(answer, whole);
        } catch (error) {
            setProblem((was) => ({ turn: was.turn + 1, errors: [], error }));
        } finally {
            setBusy(false);
        }
    }
    const say = (what) => (typeof what === "function" ? what(whole) : what);

    return html`<${Form} submit=${submit} className="case-form">
        <${ErrorSummary} errors=${problem.errors} error=${problem.error} turn=${problem.turn} />
        ${props.above?.(whole, setValues)}
        ${fields
            .filter((f) => isShown(f, whole))
            .map(
                (f) => html`<${One}
                key=${f.name} f=${f} id=${`${prefix}-${f.name}`} value=${whole[f.name]}
                error=${problem.errors.find((e) => e.name === f.name)?.message}
                onChange=${(v) => setValues((was) => ({ ...was, [f.name]: v }))}
            />`,
            )}
        ${typeof props.children === "function" ? props.children(whole) : props.children}
        ${
            props.next &&
            html`<div class="case-next">
            <h3 class="govuk-heading-s">What happens next</h3>
            <p class="govuk-body">${say(props.next)}</p>
        </div>`
        }
        <div class="govuk-button-group">
            <${Button} kind=${props.grave ? "warning" : ""} busy=${busy && "One moment …"}>${say(props.send)}<//>
            ${props.cancel && html`<${Link} to=${props.cancel} onClick=${forget}>Go back without doing this<//>`}
        </div>
    <//>`;
}
