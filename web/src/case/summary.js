// The MASH summary on one page, to read, print or take along.
import { useEffect, useState } from "preact/hooks";
import { query } from "../api.js";
import { day, when } from "../format.js";
import { html } from "../html.js";
import { BackLink, Button, Details, Loaded, Prose } from "../parts/index.js";
import { useLoad } from "../store.js";
import { takeFocusWish } from "../router.js";
import { Days } from "./days.js";

function Facts({ section }) {
    const facts = section.facts ?? [];
    if (!facts.length) return null;
    return html`<dl class="summary-facts">${facts.map((f, i) => html`<div key=${i}><dt>${f.label}</dt><dd>${f.value}</dd></div>`)}</dl>`;
}
function Table({ section }) {
    const columns = section.columns ?? [];
    if (!(section.rows ?? []).length) return null;
    return html`<div class="case-table" role="region" aria-label=${section.heading} tabindex="0">
        <table class="govuk-table summary-table">
            <caption class="govuk-visually-hidden">${section.heading}</caption>
            <thead class="govuk-table__head"><tr class="govuk-table__row">${columns.map((c, i) => html`<th key=${i} scope="col" class="govuk-table__header">${c}</th>`)}</tr></thead>
            <tbody class="govuk-table__body">
                ${section.rows.map((row, i) => html`<tr key=${i} class="govuk-table__row">${row.map((cell, k) => html`<td key=${k} class="govuk-table__cell">${cell}</td>`)}</tr>`)}
            </tbody>
        </table>
    </div>`;
}
function Section({ section }) {
    const notes = section.notes ?? [];
    const empty = !notes.length && !(section.facts ?? []).length && !(section.rows ?? []).length;
    return html`<section class="summary-section">
        <h2 class="govuk-heading-s">${section.heading}</h2>
        <${Facts} section=${section} /><${Table} section=${section} />
        ${notes.map((n, i) => html`<${Prose} key=${i} text=${n} />`)} ${empty && html`<p class="govuk-body">Nothing yet.</p>`}
    </section>`;
}

function Sheet({ got }) {
    useEffect(() => {
        if (takeFocusWish()) document.getElementById("summary-title")?.focus();
    }, []);
    const by = got.made_by && typeof got.made_by === "object" ? got.made_by.name : got.made_by;
    return html`<article class="summary">
        <h1 class="govuk-heading-l" id="summary-title" tabindex="-1">${got.title}</h1>
        <p class="govuk-body">${`Made ${when(got.made_at)} (${day(got.made_at)})${by ? ` by ${by}` : ""}. It says what this device knew then.`}</p>
        <div class="govuk-button-group summary-tools"><${Button} type="button" onClick=${() => print()}>Print this summary<//></div>
        ${got.sections.map((s, i) => html`<${Section} key=${i} section=${s} />`)}
        <p class="govuk-body-s">Official: sensitive. Keep this paper locked away, and destroy it when you no longer need it.</p>
    </article>`;
}

export function Summary({ ctx }) {
    const [days, setDays] = useState({});
    const load = useLoad(query(`/api/cases/${ctx.id}/summary`, days));
    useEffect(() => {
        document.title = `Summary, case ${ctx.data.case.reference} – Spoke`;
    }, [ctx.data.case.reference]);
    return html`<div class="summary-tools"><${BackLink} to=${ctx.at}>Back to the case<//>
            <${Details} summary="Show only some days"><${Days} onShow=${setDays} /><//>
        </div>
        <${Loaded} load=${load} what="the summary">${(got) => html`<${Sheet} got=${got} />`}<//>`;
}
