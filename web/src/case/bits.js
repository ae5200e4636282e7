// Small pieces that only the pages of a case need.
import { useEffect, useRef } from "preact/hooks";
import { ago, day, left, when, whenMid } from "../format.js";
import { html } from "../html.js";
import { Link, takeFocusWish } from "../router.js";

/* "Today at 14:05, 3 hours ago"; `day` alone: "6 May 2026"; `left`: "Today at 17:00, 47 minutes left"; `mid`: words
 * stand before it, so "today". */
export function When({ at, now, day: whole = false, left: due = false, mid = false }) {
    if (!at) return null;
    if (whole) return html`<time datetime=${at}>${day(at)}</time>`;
    return html`<time datetime=${at}>${mid ? whenMid(at, now) : when(at, now)}, ${due ? left(at, now) : ago(at, now)}</time>`;
}

/* A part of a case: its heading takes the focus when a step led here, and the window says where one is. The window's
 * title has the case's reference and no name: it stands in the list of windows for all to see. plain: the title
 * without one. */
export function Part({ title, plain = title, of, children }) {
    const ref = useRef(null);
    useEffect(() => {
        document.title = `${plain}, case ${of.reference} – Spoke`;
        if (takeFocusWish()) ref.current?.focus();
    }, [plain, of.reference]);
    return html`<section class="case-part" aria-labelledby="case-part">
        <h2 class="govuk-heading-m" id="case-part" tabindex="-1" ref=${ref}>${title}</h2>
        ${children}
    </section>`;
}

export function List({ items, none, each, className = "" }) {
    if (items.length === 0) return html`<p class="govuk-body">${none}</p>`;
    return html`<ul class=${`case-list ${className}`}>${items.map((item) => html`<li key=${item.id} class="case-item">${each(item)}</li>`)}</ul>`;
}

// Facts side by side on one line, a child each; what is empty is left out.
export function Line({ children }) {
    const all = (Array.isArray(children) ? children : [children]).filter((c) => (typeof c === "string" ? c.trim() : c));
    return html`<ul class="case-facts">${all.map((c, i) => html`<li key=${i}>${c}</li>`)}</ul>`;
}

// What this agency wrote itself it may take back, with a reason.
export function Wrong({ ctx, tbl, row, what }) {
    if (row.agency !== ctx.session.agency || !ctx.data.may.void) return null;
    return html`<${Link} to=${`${ctx.at}/chronology/${tbl}/${row.id}/mistake`}>
        Mark as a mistake<span class="govuk-visually-hidden">${`: ${what}`}</span>
    <//>`;
}

export const siteName = (reference, code) => reference?.sites?.find((s) => s.code === code)?.name ?? code;
export const agencyOf = (row, column = "agency") => row[`${column}_name`] ?? row[column] ?? "An agency that is not known here";
