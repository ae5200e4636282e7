// Tables whose columns can be sorted, cards, and the second level of navigation.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { Link } from "../router.js";

/* columns: [{name, text, cell(row) → anything, sort(row) → text or number (not given: cannot be sorted), numeric, header}];
 * `header`: this cell names its row. key(row). sorted: {name, down} to begin with. empty: what to say when there is no row. */
export function Table({ caption, hideCaption = false, columns, rows, rowKey, sorted = null, empty = "Nothing here." }) {
    const [by, setBy] = useState(sorted);
    if (rows.length === 0) return html`<p class="govuk-body spoke-empty">${empty}</p>`;
    const column = by && columns.find((c) => c.name === by.name);
    const shown = column ? [...rows].sort((a, b) => compare(column.sort(a), column.sort(b)) * (by.down ? -1 : 1)) : rows;
    const turn = (name) => setBy((was) => ({ name, down: was?.name === name ? !was.down : false }));
    return html`<div class="spoke-table" tabindex="0" role="region" aria-label=${caption}>
        <table class="govuk-table">
            <caption class=${hideCaption ? "govuk-visually-hidden" : "govuk-table__caption govuk-table__caption--m"}>${caption}</caption>
            <thead class="govuk-table__head">
                <tr class="govuk-table__row">
                    ${columns.map((c) => html`<${Head} key=${c.name} c=${c} by=${by} turn=${turn} />`)}
                </tr>
            </thead>
            <tbody class="govuk-table__body">
                ${shown.map((row) => html`<tr class="govuk-table__row" key=${rowKey(row)}>
                    ${columns.map((c) =>
                        c.header
                            ? html`<th scope="row" class="govuk-table__header" key=${c.name}>${c.cell(row)}</th>`
                            : html`<td class=${`govuk-table__cell${c.numeric ? " govuk-table__cell--numeric" : ""}`} key=${c.name}>${c.cell(row)}</td>`,
                    )}
                </tr>`)}
            </tbody>
        </table>
    </div>`;
}
function compare(a, b) {
    const none = (v) => v === null || v === undefined || v === "";
    if (none(a) || none(b)) return none(a) - none(b);
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en-GB", { numeric: true });
}
function Head({ c, by, turn }) {
    const classes = `govuk-table__header${c.numeric ? " govuk-table__header--numeric" : ""}`;
    if (!c.sort) return html`<th scope="col" class=${classes}>${c.text}</th>`;
    const state = by?.name !== c.name ? "none" : by.down ? "descending" : "ascending";
    const mark = { none: "M4 6 8 2l4 4M4 10l4 4 4-4", ascending: "M4 10 8 5l4 5", descending: "M4 6l4 5 4-5" }[state];
    return html`<th scope="col" class=${classes} aria-sort=${state}>
        <button type="button" class="spoke-sort" onClick=${() => turn(c.name)}>
            ${c.text}<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${mark} /></svg>
        </button>
    </th>`;
}

// Tabs that are links: items [{to, text, count}], current: the `to` of the page one is on. name: what they belong to.
export function SubNavigation({ name, items, current }) {
    return html`<nav class="moj-sub-navigation" aria-label=${name}>
        <ul class="moj-sub-navigation__list">
            ${items.map((item) => html`<li class="moj-sub-navigation__item" key=${item.to}>
                <${Link} class="moj-sub-navigation__link" to=${item.to} aria-current=${item.to === current ? "page" : undefined}>
                    ${item.text}${item.count ? html` <span class="spoke-count">(${item.count})</span>` : ""}
                <//>
            </li>`)}
        </ul>
    </nav>`;
}
export function Card({ title, level = 2, children, actions, className = "" }) {
    return html`<section class=${`spoke-card ${className}`}>
        <div class="spoke-card__head">
            ${title && html`<${`h${level}`} class="govuk-heading-s spoke-card__title">${title}<//>`}
            ${actions && html`<div class="spoke-card__actions">${actions}</div>`}
        </div>
        ${children}
    </section>`;
}
// A link that looks like a button.
export function ButtonLink({ to, kind, children }) {
    return html`<${Link} to=${to} class=${`govuk-button${kind ? ` govuk-button--${kind}` : ""}`}>${children}<//>`;
}
export function BackLink({ to, children }) {
    return html`<${Link} class="govuk-back-link" to=${to}>${children || "Back"}<//>`;
}
