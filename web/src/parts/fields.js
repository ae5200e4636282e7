/* Fields after GOV.UK's patterns. Each takes: id (unique on the page), label, hint, error (text), value, onChange(value);
 * `optional` adds "(optional)" to the label, `small` makes the label of normal weight. */
import { useRef } from "preact/hooks";
import { html } from "../html.js";

const described = (...ids) => ids.filter(Boolean).join(" ") || undefined;

function Above({ id, label, hint, error, optional, small }) {
    return html`<label class=${`govuk-label${small ? "" : " govuk-label--s"}`} for=${id}>${label}${optional ? " (optional)" : ""}</label>
        ${hint && html`<div id=${`${id}-hint`} class="govuk-hint">${hint}</div>`} ${error && html`<${FieldError} id=${id} text=${error} />`}`;
}
export function FieldError({ id, text }) {
    return html`<p id=${`${id}-error`} class="govuk-error-message">
        <span class="govuk-visually-hidden">Error:</span> ${text}
    </p>`;
}
const group = (error) => `govuk-form-group${error ? " govuk-form-group--error" : ""}`;

// One line. type: text, password, email, tel, time. width: 2, 3, 4, 5, 10, 20, 30 characters.
export function Field({ id, type = "text", width, value, onChange, error, hint, autocomplete = "off", inputmode, ...rest }) {
    return html`<div class=${group(error)}>
        <${Above} id=${id} hint=${hint} error=${error} ...${rest} />
        <input
            class=${`govuk-input${width ? ` govuk-input--width-${width}` : ""}${error ? " govuk-input--error" : ""}`}
            id=${id} name=${id} type=${type} value=${value ?? ""} autocomplete=${autocomplete} inputmode=${inputmode}
            spellcheck=${type === "text" ? undefined : false} maxlength=${rest.maxlength}
            aria-describedby=${described(hint && `${id}-hint`, error && `${id}-error`)} onInput=${(e) => onChange(e.target.value)}
        />
    </div>`;
}

export function Textarea({ id, value, onChange, error, hint, rows = 5, ...rest }) {
    return html`<div class=${group(error)}>
        <${Above} id=${id} hint=${hint} error=${error} ...${rest} />
        <textarea
            class=${`govuk-textarea${error ? " govuk-textarea--error" : ""}`} id=${id} name=${id} rows=${rows} value=${value ?? ""}
            autocomplete="off" aria-describedby=${described(hint && `${id}-hint`, error && `${id}-error`)} onInput=${(e) => onChange(e.target.value)}
        ></textarea>
    </div>`;
}

// items: [{value, text}]. empty: the text of the first line, which stands for nothing chosen; null: there is none.
export function Select({ id, value, onChange, items, error, hint, empty = "Choose", ...rest }) {
    return html`<div class=${group(error)}>
        <${Above} id=${id} hint=${hint} error=${error} ...${rest} />
        <select
            class=${`govuk-select${error ? " govuk-select--error" : ""}`} id=${id} name=${id} value=${value ?? ""}
            aria-describedby=${described(hint && `${id}-hint`, error && `${id}-error`)} onChange=${(e) => onChange(e.target.value)}
        >
            ${empty !== null && html`<option value="" selected=${!value}>${empty}</option>`}
            ${items.map((item) => html`<option key=${item.value} value=${item.value} selected=${item.value === value}>${item.text}</option>`)}
        </select>
    </div>`;
}

function Legend({ id, label, hint, error, optional, small, children }) {
    return html`<div class=${group(error)}>
        <fieldset class="govuk-fieldset" id=${`${id}-set`} aria-describedby=${described(hint && `${id}-hint`, error && `${id}-error`)}>
            <legend class=${`govuk-fieldset__legend${small ? "" : " govuk-fieldset__legend--s"}`}>${label}${optional ? " (optional)" : ""}</legend>
            ${hint && html`<div id=${`${id}-hint`} class="govuk-hint">${hint}</div>`}
            ${error && html`<${FieldError} id=${id} text=${error} />`} ${children}
        </fieldset>
    </div>`;
}

/* One of a few. items: [{value, text, hint, conditional (shown beneath while it is chosen)}]. The first button has the id itself,
 * so that an error summary's link finds it. inline: side by side; tiny: small buttons. */
export function Radios({ id, value, onChange, items, inline, tiny, ...rest }) {
    return html`<${Legend} id=${id} ...${rest}>
        <div class=${`govuk-radios${inline ? " govuk-radios--inline" : ""}${tiny ? " govuk-radios--small" : ""}`}>
            ${items.map((item, i) => {
                const own = i === 0 ? id : `${id}-${i + 1}`;
                return html`<div class="govuk-radios__item" key=${item.value}>
                        <input
                            class="govuk-radios__input" id=${own} name=${id} type="radio" value=${item.value}
                            checked=${item.value === value} aria-describedby=${item.hint ? `${own}-item-hint` : undefined}
                            onChange=${() => onChange(item.value)}
                        />
                        <label class="govuk-label govuk-radios__label" for=${own}>${item.text}</label>
                        ${item.hint && html`<div id=${`${own}-item-hint`} class="govuk-hint govuk-radios__hint">${item.hint}</div>`}
                    </div>
                    ${item.conditional && item.value === value && html`<div class="govuk-radios__conditional">${item.conditional}</div>`}`;
            })}
        </div>
    <//>`;
}

// Several of some: value is an array. items as for Radios.
export function Checkboxes({ id, value, onChange, items, tiny, ...rest }) {
    const chosen = new Set(value || []);
    const turn = (v, on) => onChange(items.map((i) => i.value).filter((i) => (i === v ? on : chosen.has(i))));
    return html`<${Legend} id=${id} ...${rest}>
        <div class=${`govuk-checkboxes${tiny ? " govuk-checkboxes--small" : ""}`}>
            ${items.map((item, i) => html`<${Box} key=${item.value} id=${i === 0 ? id : `${id}-${i + 1}`} name=${id} item=${item}
                checked=${chosen.has(item.value)} onChange=${(on) => turn(item.value, on)} />`)}
        </div>
    <//>`;
}
function Box({ id, name, item, checked, onChange }) {
    return html`<div class="govuk-checkboxes__item">
            <input
                class="govuk-checkboxes__input" id=${id} name=${name} type="checkbox" checked=${checked}
                aria-describedby=${item.hint ? `${id}-item-hint` : undefined} onChange=${(e) => onChange(e.target.checked)}
            />
            <label class="govuk-label govuk-checkboxes__label" for=${id}>${item.text}</label>
            ${item.hint && html`<div id=${`${id}-item-hint`} class="govuk-hint govuk-checkboxes__hint">${item.hint}</div>`}
        </div>
        ${item.conditional && checked && html`<div class="govuk-checkboxes__conditional">${item.conditional}</div>`}`;
}
// A yes-or-no on its own.
export function Checkbox({ id, label, hint, value, onChange, tiny = false }) {
    return html`<div class="govuk-form-group">
        <div class=${`govuk-checkboxes${tiny ? " govuk-checkboxes--small" : ""}`}>
            <${Box} id=${id} name=${id} item=${{ text: label, hint }} checked=${Boolean(value)} onChange=${onChange} />
        </div>
    </div>`;
}

// "2014-05-06" ↔ three boxes. What is half typed is kept as it stands ("2014--6") and is no date: see dateFault.
const split = (value) => {
    const [y = "", m = "", d = ""] = String(value ?? "").split("-");
    return { y, m: m.replace(/^0(?=.)/, ""), d: d.replace(/^0(?=.)/, "") };
};
export function DateField({ id, value, onChange, error, ...rest }) {
    const now = split(value);
    const put = (part, text) => {
        const next = { ...now, [part]: text.replace(/\D/g, "").slice(0, part === "y" ? 4 : 2) };
        if (!next.y && !next.m && !next.d) return onChange("");
        const two = (t) => (t.length === 1 && next.y.length === 4 ? `0${t}` : t);
        onChange(`${next.y}-${two(next.m)}-${two(next.d)}`);
    };
    const box = (part, name, width) => html`<div class="govuk-date-input__item">
        <div class="govuk-form-group">
            <label class="govuk-label govuk-date-input__label" for=${part === "d" ? id : `${id}-${part}`}>${name}</label>
            <input
                class=${`govuk-input govuk-date-input__input govuk-input--width-${width}${error ? " govuk-input--error" : ""}`}
                id=${part === "d" ? id : `${id}-${part}`} type="text" inputmode="numeric" autocomplete="off" value=${now[part]}
                onInput=${(e) => put(part, e.target.value)}
            />
        </div>
    </div>`;
    return html`<${Legend} id=${id} error=${error} ...${rest}>
        <div class="govuk-date-input">${box("d", "Day", 2)}${box("m", "Month", 2)}${box("y", "Year", 4)}</div>
    <//>`;
}
// What is wrong with the value of a DateField, in words; null: a date, or nothing.
export function dateFault(value, what = "The date") {
    if (!value) return null;
    const d = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(value);
    const at = d && new Date(Date.UTC(+d[1], d[2] - 1, +d[3]));
    if (!at || at.getUTCMonth() !== d[2] - 1 || at.getUTCDate() !== +d[3]) return `${what} must be a real date, such as 6 5 2014`;
    return null;
}

// A day and an hour in one: value {date, time}; see londonTime in format.js for what to send.
export function DateTimeField({ id, label, hint, error, value, onChange, optional }) {
    const now = value || { date: "", time: "" };
    return html`<${DateField} id=${id} label=${label} hint=${hint} error=${error} optional=${optional} value=${now.date}
            onChange=${(date) => onChange({ ...now, date })} />
        <${Field} id=${`${id}-time`} label="Time, such as 14:05" small width="5" value=${now.time} onChange=${(time) => onChange({ ...now, time })} />`;
}

export function FileField({ id, accept, onChange, error, hint, ...rest }) {
    return html`<div class=${group(error)}>
        <${Above} id=${id} hint=${hint} error=${error} ...${rest} />
        <input
            class=${`govuk-file-upload${error ? " govuk-file-upload--error" : ""}`} id=${id} name=${id} type="file" accept=${accept}
            aria-describedby=${described(hint && `${id}-hint`, error && `${id}-error`)} onChange=${(e) => onChange(e.target.files[0] || null)}
        />
    </div>`;
}

/* A form that sends once: submit() is awaited, and the button says so. No validation by the browser: ours has better words. */
export function Form({ submit, children, className = "" }) {
    const running = useRef(false);
    const send = async (e) => {
        e.preventDefault();
        if (running.current) return;
        running.current = true;
        try {
            await submit();
        } finally {
            running.current = false;
        }
    };
    return html`<form class=${className} novalidate onSubmit=${send}>${children}</form>`;
}
// kind: "", secondary, warning. busy: what it says while it works.
export function Button({ kind, busy, children, type = "submit", onClick, ...rest }) {
    return html`<button
        type=${type} class=${`govuk-button${kind ? ` govuk-button--${kind}` : ""}`} aria-disabled=${busy ? "true" : undefined} onClick=${onClick} ...${rest}
    >
        ${busy || children}
    </button>`;
}
