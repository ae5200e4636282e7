// What every page is made of: heading and purpose, errors, loading, notices.
import { useEffect, useRef } from "preact/hooks";
import { nowMs } from "../format.js";
import { html } from "../html.js";
import { takeFocusWish, useRoute } from "../router.js";
import { useStore } from "../store.js";

// The one h1 of a page. Sets the window's title, and takes the focus when a person's step led here.
export function Heading({ title, children, className = "govuk-heading-l" }) {
    const ref = useRef(null);
    const at = useRoute();
    useEffect(() => {
        document.title = `${title} – Spoke`;
    }, [title]);
    useEffect(() => {
        if (takeFocusWish()) ref.current?.focus({ preventScroll: true });
    }, [at]);
    return html`<h1 ref=${ref} tabindex="-1" class=${className}>${children || title}</h1>`;
}

/* A page: title (heading and window title), lead (one sentence), help (what is this page for: anything to show when opened).
 * wide: uses the whole window. */
export function Page({ title, lead, help, children, wide = false }) {
    return html`<${Heading} title=${title} />
        ${lead && html`<p class=${`govuk-body-l spoke-lead${wide ? " spoke-lead--wide" : ""}`}>${lead}</p>`}
        ${help && html`<${Details} summary="What is this page for?">${help}<//>`} ${children}`;
}

export function Details({ summary, children, open = false, className = "" }) {
    return html`<details class=${`govuk-details ${className}`} open=${open}>
        <summary class="govuk-details__summary"><span class="govuk-details__summary-text">${summary}</span></summary>
        <div class="govuk-details__text">${children}</div>
    </details>`;
}

/* What stands in the way, above a form: errors [{id (of the field), message}] or one ApiError. Takes the focus when it comes.
 * `turn`: a number that grows with each attempt, so that the same errors are announced again. */
export function ErrorSummary({ errors, error, turn = 0 }) {
    const ref = useRef(null);
    const any = Boolean(error) || (errors && errors.length > 0);
    useEffect(() => {
        if (any) {
            ref.current?.focus();
            ref.current?.scrollIntoView({ block: "nearest" });
        }
    }, [any, turn, error]);
    if (!any) return null;
    const to = (id) => (e) => {
        const field = document.getElementById(id);
        if (!field) return;
        e.preventDefault();
        field.focus();
        field.closest(".govuk-form-group")?.scrollIntoView({ block: "center" });
    };
    return html`<div class="govuk-error-summary" ref=${ref} tabindex="-1">
        <div role="alert">
            <h2 class="govuk-error-summary__title">There is a problem</h2>
            <div class="govuk-error-summary__body">
                ${error && html`<p>${error.message}</p>`} ${error?.next && html`<p>${error.next}</p>`}
                ${errors?.length > 0 &&
                html`<ul class="govuk-list govuk-error-summary__list">
                    ${errors.map(({ id, message }) => html`<li key=${id}>
                        ${id ? html`<a href=${`#${id}`} onClick=${to(id)}>${message}</a>` : message}
                    </li>`)}
                </ul>`}
            </div>
        </div>
    </div>`;
}

/* Shows children(data) of a useLoad result; before, that it loads; instead, what went wrong. */
export function Loaded({ load, children, what = "this page" }) {
    const { data, error, loading } = load;
    if (error && !data)
        return html`<div class="govuk-inset-text spoke-problem" role="alert">
            <p class="govuk-body govuk-!-font-weight-bold">${error.message}</p>
            ${error.next && html`<p class="govuk-body">${error.next}</p>`}
            <button type="button" class="govuk-button govuk-button--secondary" onClick=${() => load.reload()}>
                Try again
            </button>
        </div>`;
    if (loading && !data) return html`<p class="govuk-body" role="status">Loading ${what} …</p>`;
    return data ? children(data) : null;
}

// Something that a person has to know and that stays on the page. kind: information, success, warning, error.
export function Notice({ kind = "information", title, children }) {
    const words = { information: "Note", success: "Done", warning: "Warning", error: "Problem" };
    return html`<div class=${`spoke-notice spoke-notice--${kind}`} role="group" aria-label=${title || words[kind]}>
        ${title && html`<h2 class="govuk-heading-s spoke-notice__title">${title}</h2>`}
        <div class="govuk-body spoke-notice__text">${children}</div>
    </div>`;
}

// Whether what was just done has left this device: said where it was done, and kept in step.
function Left() {
    const { sync } = useStore();
    const since = useRef(nowMs());
    const gone = sync?.unsent === 0 && Date.parse(sync.last_contact) >= since.current;
    return html`<p class="govuk-body">
        ${gone ? "It has left this device: the MASH has it." : "It is saved on this device and goes to the MASH with the next contact."}
    </p>`;
}

/* What came of an act, in place of a toast: stays until the next step and takes the focus. `answer`: what act() gave. */
export function Done({ answer, title = "Done", children }) {
    const ref = useRef(null);
    useEffect(() => {
        if (answer) {
            ref.current?.focus();
            ref.current?.scrollIntoView({ block: "nearest" });
        }
    }, [answer]);
    if (!answer) return null;
    return html`<div
        class=${`govuk-notification-banner ${answer.held ? "" : "govuk-notification-banner--success"}`}
        ref=${ref} tabindex="-1" role="alert" aria-labelledby="spoke-done-title"
    >
        <div class="govuk-notification-banner__header">
            <h2 class="govuk-notification-banner__title" id="spoke-done-title">${answer.held ? "Important" : "Success"}</h2>
        </div>
        <div class="govuk-notification-banner__content">
            <p class="govuk-notification-banner__heading">${title}</p>
            ${answer.held &&
            html`<p class="govuk-body">
                Your agency may not change this by itself. It is sent all the same, and a manager of the MASH decides. Until then
                it says “not accepted yet”.
            </p>`}
            ${answer.notes?.map((note) => html`<p class="govuk-body" key=${note}>${note}</p>`)}
            ${answer.unsent && html`<${Left} />`}
            ${children}
        </div>
    </div>`;
}

// Label and value, as MOJ and GOV.UK show facts. rows: [{label, value, action}]; those without a value are left out.
export function Facts({ rows, className = "" }) {
    const shown = rows.filter((row) => row && row.value !== null && row.value !== undefined && row.value !== "");
    return html`<dl class=${`govuk-summary-list ${className}`}>
        ${shown.map((row) => html`<div class="govuk-summary-list__row" key=${row.label}>
            <dt class="govuk-summary-list__key">${row.label}</dt>
            <dd class="govuk-summary-list__value">${row.value}</dd>
            ${row.action && html`<dd class="govuk-summary-list__actions">${row.action}</dd>`}
        </div>`)}
    </dl>`;
}

// Text as somebody wrote it: lines stay lines. Never markup.
export function Prose({ text, className = "" }) {
    return html`<div class=${`govuk-body spoke-prose ${className}`}>${text}</div>`;
}
