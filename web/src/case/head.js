// The head of every page of a case: whom it is about, warnings first, how grave, what is due.
import { useState } from "preact/hooks";
import { age, day, left, list, ragWord, whenMid } from "../format.js";
import { html } from "../html.js";
import { Rating, Tag, Unsent } from "../parts/tag.js";
import { Line, When, agencyOf } from "./bits.js";
import { clockWords, roleWords, schemeWords, statusWords, warningWords } from "./words.js";

const AT_MOST = 4; // people in the head; the rest are on the page of people

// Whom the case is about: its children, or its adult at risk; else who was named first.
export function subjects(data) {
    const about = data.people.filter((p) => p.role === data.case.subject_kind);
    return about.length ? about : data.people.slice(0, 1);
}
export function subjectNames(data) {
    const names = subjects(data).map((p) => p.name || "Name not known");
    if (!names.length) return "Nobody is named yet";
    return names.length > AT_MOST ? `${list(names.slice(0, AT_MOST))} and others` : list(names);
}

// Numbers that lead into other systems stay covered until somebody wants one: who passes by reads nothing.
function Numbers({ person }) {
    const [shown, setShown] = useState(false);
    const all = person.identifiers ?? [];
    if (!all.length) return null;
    const cover = (value) => (shown ? String(value ?? "") : `ends in ${String(value ?? "").slice(-3)}`);
    return html`<div class="case-numbers">
        <${Line}>${all.map((i) => html`${schemeWords(i.scheme)}: <span class="case-mono">${cover(i.value)}</span>`)}<//>
        <button type="button" class="case-link-button" onClick=${() => setShown(!shown)}>
            ${shown ? "Cover the numbers" : "Show the numbers"}<span class="govuk-visually-hidden"> of ${person.name}</span>
        </button>
    </div>`;
}

function bornWords(p) {
    if (p.born_on) {
        const years = age(p.born_on, p.died_on);
        return `Born ${day(p.born_on)}${years ? (p.died_on ? `, lived ${years}` : `, ${years} old`) : ""}`;
    }
    return p.expected_on ? `Expected ${day(p.expected_on)}` : "Date of birth not known";
}

// alone: the heading above has said the name.
function Subject({ person, alone }) {
    return html`<li class="case-subject">
        <${Line}>
            ${!alone && html`<strong>${person.name || "Name not known"}</strong>`}
            ${roleWords(person.role)} ${bornWords(person)}
            ${person.died_on && html`<strong>Died ${day(person.died_on)}</strong>`}
            ${person.unsent && html`<${Unsent} of=${person} />`}
        <//>
        <${Numbers} person=${person} />
    </li>`;
}

export function allWarnings(data) {
    const seen = new Set();
    const names = new Map(data.people.map((p) => [p.id, p.name]));
    const all = [...data.warnings, ...data.people.flatMap((p) => p.warnings ?? [])];
    return all
        .filter((w) => !seen.has(w.id) && seen.add(w.id))
        .map((w) => ({ ...w, whom: w.person_id ? (names.get(w.person_id) ?? null) : null }));
}

function Warnings({ data, now }) {
    const all = allWarnings(data);
    if (!all.length) return null;
    return html`<section class="case-warnings" aria-labelledby="case-warnings">
        <h2 class="govuk-heading-s" id="case-warnings">Warnings: read before you visit or ring</h2>
        <ul class="govuk-list">
            ${all.map(
                (w) => html`<li key=${w.id}>
                    <strong>${warningWords(w.kind)}${w.whom ? ` (${w.whom})` : ""}:</strong> ${w.note}
                    ${w.until && html`<span class="case-quiet"> until <${When} mid at=${w.until} now=${now} /></span>`}
                    ${w.unsent && html` <${Unsent} of=${w} />`}
                </li>`,
            )}
        </ul>
    </section>`;
}

// "Decision due today at 16:10, 47 minutes left": the hour and what is left of it.
export function clockSentence(c, now) {
    const what = clockWords[c.what] ?? c.what;
    const lower = (iso) => whenMid(iso, now);
    const working = c.clock === "working" ? ", counted in working hours" : "";
    switch (c.state) {
        case "met":
            return `${what} in time, ${lower(c.done_at)}`;
        case "missed":
            // Of several, one may have been late before the last was due.
            return `${what} late, ${lower(c.done_at)}${c.due_at < c.done_at ? `; was due ${lower(c.due_at)}` : ""}`;
        case "late":
            return `${what} was due ${lower(c.due_at)}, ${left(c.due_at, now)}${working}`;
        case "running":
            return `${what} due ${lower(c.due_at)}, ${left(c.due_at, now)}${working}`;
        default:
            return c.done_at ? `${what} ${lower(c.done_at)}` : `${what}: no time is set for this rating`;
    }
}
function Clocks({ data, now }) {
    return html`<ul class="case-clocks" aria-label="What is due when">
        ${data.clocks.map((c) => {
            const late = c.state === "running" && Date.parse(c.due_at) < now ? "late" : c.state;
            return html`<li key=${c.what} class=${`case-clock case-clock--${late}`}>
                ${clockSentence({ ...c, state: late }, now)}
            </li>`;
        })}
    </ul>`;
}

const ragOf = (r) => (r && typeof r === "object" ? r.rag : r);
function disputeWords(c) {
    const decides = "Social care decides, or after that the operations manager.";
    if (!c.shown_rag || c.shown_rag === c.rag) return `An agency does not agree. ${decides}`;
    return `The case is rated ${ragWord(c.rag).toLowerCase()}; the graver rating is shown until that is decided. ${decides}`;
}
function Ratings({ data }) {
    const [before, after] = [ragOf(data.rating_before), ragOf(data.rating_after)];
    const c = data.case;
    return html`<dl class="case-ratings">
        <div>
            <dt>Rating now</dt>
            <dd>
                <${Rating} rag=${c.shown_rag ?? c.rag} large />
                ${c.disputed && html` <${Tag} tone="yellow">Rating disputed<//>`}
            </dd>
        </div>
        <div><dt>Rated first</dt><dd>${before ? html`<${Rating} rag=${before} />` : "Not rated"}</dd></div>
        <div><dt>When it was decided</dt><dd>${after ? html`<${Rating} rag=${after} />` : "Not decided yet"}</dd></div>
    </dl>
    ${c.disputed && html`<p class="govuk-body-s">${disputeWords(c)}</p>`}`;
}

export function Head({ data, now }) {
    const c = data.case;
    return html`<header class="case-head">
        <${Warnings} data=${data} now=${now} />
        <div class="moj-identity-bar case-identity">
            <div class="case-who">
                <h1 class="govuk-heading-l case-title">${subjectNames(data)}</h1>
                <ul class="case-subjects">
                    ${subjects(data)
                        .slice(0, AT_MOST)
                        .map((p) => html`<${Subject} key=${p.id} person=${p} alone=${subjects(data).length === 1} />`)}
                </ul>
                <${Line}>
                    ${`Case ${c.reference}`} ${statusWords(c.status)}
                    ${c.lead_agency ? `Led by ${agencyOf(c, "lead_agency")}` : "Nobody leads it yet"}
                    ${c.restricted && html`<strong>Restricted: only the places named in it see it</strong>`}
                    ${data.repeat && html`<strong>Repeat referral: somebody in it stands in an earlier case</strong>`}
                    ${c.unsent && html`<${Unsent} of=${c} />`}
                <//>
            </div>
            <div class="case-grave"><${Ratings} data=${data} /></div>
            <${Clocks} data=${data} now=${now} />
        </div>
    </header>`;
}
