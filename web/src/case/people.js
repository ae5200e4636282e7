// Household and family: everybody who is named, drawn and as a table.
import { age, day } from "../format.js";
import { html } from "../html.js";
import { lazy } from "../lazy.js";
import { ButtonLink, Details, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { Line, List, Part, When, Wrong, agencyOf } from "./bits.js";
import { allWarnings, subjects } from "./head.js";
import { kinSentences } from "./kin.js";
import { contactWords, roleWords, schemeWords, sexWords, warningWords } from "./words.js";

// What lays out the drawing is larger than all other pages of a case together.
const Genogram = lazy(() => import("./genogram.js"), "Genogram");

function Born({ p }) {
    if (p.born_on) return `${day(p.born_on)}${age(p.born_on, p.died_on) ? ` (${age(p.born_on, p.died_on)})` : ""}`;
    return p.expected_on ? `Expected ${day(p.expected_on)}` : "Not known";
}

function Contact({ c, ctx }) {
    return html`<${Line}>
        ${html`${contactWords(c.kind)}: ${c.value}`} ${c.note}
        ${c.protected && html`<${Tag} tone="red">Protected: do not tell<//>`}
        ${c.unsent && html`<${Unsent} of=${c} />`} <${Wrong} ctx=${ctx} tbl="contact" row=${c} what=${c.value} />
    <//>`;
}

// The roles are said because a narrow screen shows each person as a block (case.css), which takes away a table's own.
const COLUMNS = ["Name", "Role", "Born, sex", "Relations", "Contacts and warnings"];

function Row({ p, ctx, subject }) {
    const { data, at } = ctx;
    const may = data.may;
    const kin = kinSentences(p, data.people, data.kinship);
    const warned = allWarnings(data).filter((w) => w.person_id === p.id);
    const name = p.name || "Name not known";
    const link = (to, text) => html`<li><${Link} to=${to}>${text}<span class="govuk-visually-hidden">${`: ${name}`}</span><//></li>`;
    return html`<tr role="row" class="govuk-table__row case-person" id=${`person-${p.id}`} tabindex="-1">
        <th role="rowheader" scope="row" class="govuk-table__header">
            ${name}
            <${Line}>
                ${subject && html`<${Tag} tone="blue">The case is about them<//>`} ${p.died_on && `Died ${day(p.died_on)}`}
                ${p.unsent && html`<${Unsent} of=${p} />`}
            <//>
        </th>
        <td role="cell" data-label=${COLUMNS[1]} class="govuk-table__cell">${roleWords(p.role)}</td>
        <td role="cell" data-label=${COLUMNS[2]} class="govuk-table__cell"><${Born} p=${p} /><br />${sexWords(p.sex)}</td>
        <td role="cell" data-label=${COLUMNS[3]} class="govuk-table__cell">
            ${kin.length ? html`<ul class="case-plain">${kin.map((k) => html`<li key=${k.id}><${Line}>${k.text} <${Wrong} ctx=${ctx} tbl="kinship" row=${k.row} what=${k.text} /><//></li>`)}</ul>` : "No relation recorded"}
        </td>
        <td role="cell" data-label=${COLUMNS[4]} class="govuk-table__cell">
            ${warned.map(
                (w) => html`<p class="case-warned" key=${w.id}><strong>Warning, ${warningWords(w.kind)}:</strong> ${w.note}${" "}
                <${Wrong} ctx=${ctx} tbl="warning" row=${w} what=${w.note} /></p>`,
            )}
            ${(p.contacts ?? []).map((c) => html`<${Contact} key=${c.id} c=${c} ctx=${ctx} />`)}
            ${
                (p.identifiers ?? []).length > 0 &&
                html`<${Details} summary=${html`Numbers<span class="govuk-visually-hidden"> of ${name}</span>`} className="case-tight">
                <${Line}>${p.identifiers.map((i) => `${schemeWords(i.scheme)}: ${i.value}`)}<//>
            <//>`
            }
            <ul class="case-handles">
                ${may["person-set"] && link(`${at}/people/${p.id}/change`, "Change")}
                ${may["contact-add"] && link(`${at}/people/${p.id}/contact`, "Add address or telephone")}
                ${may["warning-add"] && link(`${at}/people/${p.id}/warning`, "Add a warning")}
            </ul>
        </td>
    </tr>`;
}

function Protected({ data }) {
    const any = data.people.some((p) => (p.contacts ?? []).some((c) => c.protected));
    if (!any) return null;
    return html`<div class="govuk-warning-text">
        <span class="govuk-warning-text__icon" aria-hidden="true">!</span>
        <strong class="govuk-warning-text__text">
            <span class="govuk-visually-hidden">Warning</span>
            An address or number here is protected. Only the agency that wrote it and the MASH see it. Do not tell it to anybody, and do not write it
            into a record: somebody may be in danger from whoever learns it.
        </strong>
    </div>`;
}

export function People({ ctx }) {
    const { data, at, now } = ctx;
    const may = data.may;
    const about = new Set(subjects(data).map((p) => p.id));
    const general = allWarnings(data).filter((w) => !w.person_id);
    return html`<${Part} title="People and family tree" of=${data.case}>
        <p class="govuk-body">Everybody in the household and the family who is named in this case, related or not.</p>
        <div class="govuk-button-group">
            ${may["person-add"] && html`<${ButtonLink} to=${`${at}/people/add`}>Add a person<//>`}
            ${may["kin-add"] && data.people.length > 1 && html`<${ButtonLink} kind="secondary" to=${`${at}/people/relate`}>Say how two people are related<//>`}
            ${may["warning-add"] && html`<${Link} to=${`${at}/people/warning`}>Add a warning for everybody who visits<//>`}
        </div>
        ${may["person-add"] === false && html`<p class="govuk-body">Your agency’s part in this case does not let it add people. If somebody is missing, tell the MASH.</p>`}
        <${Protected} data=${data} />
        <${Genogram} people=${data.people} kinship=${data.kinship} subjectIds=${about} />
        ${
            general.length > 0 &&
            html`<h3 class="govuk-heading-s">Warnings for everybody who visits</h3>
            <${List} items=${general} none="" each=${(w) => html`<${Line}>${html`<strong>${warningWords(w.kind)}:</strong> ${w.note}`} ${w.until && html`until <${When} mid at=${w.until} now=${now} />`} ${agencyOf(w)} <${Wrong} ctx=${ctx} tbl="warning" row=${w} what=${w.note} /><//>`} />`
        }
        <div class="case-table" role="region" aria-label="Everybody as a table" tabindex="0">
            <table role="table" class="govuk-table case-stack">
                <caption class="govuk-table__caption govuk-table__caption--s">Everybody as a table</caption>
                <thead role="rowgroup" class="govuk-table__head">
                    <tr role="row" class="govuk-table__row">
                        ${COLUMNS.map((t) => html`<th key=${t} role="columnheader" scope="col" class="govuk-table__header">${t}</th>`)}
                    </tr>
                </thead>
                <tbody role="rowgroup" class="govuk-table__body">
                    ${data.people.map((p) => html`<${Row} key=${p.id} p=${p} ctx=${ctx} subject=${about.has(p.id)} />`)}
                </tbody>
            </table>
        </div>
    <//>`;
}
