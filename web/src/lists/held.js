// Work that a rule refused: kept whole, for the area's manager to decide; its author sees how it stands.
import { useState } from "preact/hooks";
import { query as address } from "../api.js";
import { useDraft } from "../draft.js";
import { count, nowMs, when, words } from "../format.js";
import { html } from "../html.js";
import { Button, Card, Checkbox, Done, ErrorSummary, Facts, Form, Loaded, Page, Rating, Tag, Textarea, Unsent } from "../parts/index.js";
import { Link, go } from "../router.js";
import { useLoad, useNow, useReference } from "../store.js";
import { useAct } from "./acts.js";
import { reading } from "./value.js";

const HELP = html`<p class="govuk-body">
        Somebody wrote something that a rule does not let their agency write by itself. It is kept whole. The manager of the area decides,
        at the MASH: accept it, and it takes effect, or dismiss it with a reason. Either way it stays on record.
    </p>
    <p class="govuk-body">At other places this page shows what your own agency wrote, and what became of it.</p>`;
const STATE = {
    waiting: { tone: "orange", text: "Waits for a decision" },
    accepted: { tone: "green", text: "Accepted" },
    dismissed: { tone: "grey", text: "Dismissed" },
    withdrawn: { tone: "grey", text: "Taken back by its author" },
};

// What it would do, as the hub wrote it down: rows and columns. Anything else is shown as it stands.
function said(text) {
    try {
        const rows = JSON.parse(text);
        return Array.isArray(rows) && rows.every((row) => row && typeof row === "object") ? rows : null;
    } catch {
        return null;
    }
}
const TABLES = new Map([
    ["case_file", "the case"], ["brief", "the case"], ["referral", "a referral"], ["participant", "who takes part in the case"], ["person", "a person"],
    ["kinship", "how people are related"], ["identifier", "a person’s numbers"], ["contact", "contact details"], ["warning", "a warning"],
    ["record", "a record"], ["rating", "a rating"], ["challenge", "a dispute"], ["meeting", "a meeting"], ["attendance", "who was at a meeting"],
    ["episode", "a plan"], ["allocation", "who works on the case"], ["action", "what is to be done"], ["conflict", "two versions"],
]);
const COLUMNS = new Map([["rag", "rating"], ["born_on", "date of birth"], ["nfa", "no further action"], ["subject_kind", "child or adult"]]);
const column = (name) => COLUMNS.get(name) ?? words(name.replace(/_(at|on)$/, "")).toLowerCase();

// One row of it: what it changes, and to what. What names only what the programs know is left out.
function Row({ row, reference, now }) {
    if (row.left_out) return html`<li>${count(row.left_out, "more change")} that would not fit here</li>`;
    const where = TABLES.get(row.table) ?? words(row.table).toLowerCase();
    if (row.withheld) return html`<li>${row.new ? "Something new in" : "A change of"} ${where}; what it says is not shown to you</li>`;
    const said = Object.entries(row.columns ?? {}).map(([name, value]) => [column(name), reading(reference, name, value, now)]).filter(([, value]) => value !== null);
    return html`<li>
        ${row.new ? "Something new in" : "A change of"} ${where}${said.length > 0 ? ": " : ""}
        ${said.map(([name, value], i) => html`${i > 0 ? ", " : ""}${name} “<bdi>${value}</bdi>”`)}
    </li>`;
}
function What({ text, reference, now }) {
    const rows = said(text);
    if (!text) return html`<p class="govuk-body">What it says is not shown here any more.</p>`;
    if (!rows) return html`<p class="govuk-body spoke-version__text">${text}</p>`;
    return html`<ul class="govuk-list govuk-list--bullet spoke-version__value">
        ${rows.map((row, i) => html`<${Row} key=${i} row=${row} reference=${reference} now=${now} />`)}
    </ul>`;
}

function Decide({ of, done }) {
    const id = `held-${of.id}`;
    const [reason, setReason, forget] = useDraft(id, "");
    const act = useAct();
    const about = html`<span class="govuk-visually-hidden">: case ${of.reference ?? "not here"}, by ${of.author_person?.name ?? of.agency_name}</span>`;
    const send = async (name, errors) => {
        const answer = await act.run(name, { id: of.id, reason: reason.trim() || null }, errors);
        if (!answer) return;
        forget();
        done({ answer, title: name === "held-accept" ? "Accepted. It takes effect with the next contact." : "Dismissed. Its author reads why." });
    };
    const dismiss = () => send("held-dismiss", reason.trim() ? [] : [{ id: `${id}-reason`, message: "Say why: its author will read it" }]);
    const hint = of.stays ? "Its author reads this." : "Needed to dismiss it; its author reads this.";
    return html`<${ErrorSummary} errors=${act.errors} error=${act.error} turn=${act.turn} />
        ${of.stays && html`<p class="govuk-body">It had been taken in, and cannot be dismissed: what it builds on is not at the MASH yet. Leave it waiting: it
            takes effect by itself when that comes. Then change what is wrong with it.</p>`}
        <${Form} submit=${() => send("held-accept")}>
            <${Textarea} id=${`${id}-reason`} label="Why" hint=${hint} rows=${2} value=${reason} onChange=${setReason} error=${act.errors[0]?.message} />
            <div class="spoke-row">
                <${Button} busy=${act.busy && "Saving …"}>Accept it${about}<//>
                ${!of.stays && html`<${Button} type="button" kind="warning" onClick=${dismiss}>Dismiss it${about}<//>`}
            </div>
        <//>`;
}

function One({ of, now, reference, done }) {
    const state = STATE[of.state] || { tone: "grey", text: words(of.state) };
    const title = html`${of.reference ? html`<${Link} to=${`/case/${of.case_id}`}>${of.reference}<//>` : "A new referral"} ${of.case_rag && html`<${Rating} rag=${of.case_rag} />`}`;
    return html`<li>
        <${Card} title=${title} actions=${html`<${Tag} tone=${state.tone}>${state.text}<//> <${Unsent} of=${of} />`}>
            <${Facts} rows=${[
                { label: "Written by", value: `${of.author_person?.name ?? "somebody"}, ${of.agency_name ?? of.agency}${of.mine ? " (this place)" : ""}` },
                { label: "Written", value: when(of.written_at, now) },
                { label: "Why it is not accepted", value: of.reason },
                of.decided_at && { label: "Decided", value: `${when(of.decided_at, now)} by ${of.decided_by?.name ?? "somebody"}` },
                of.decision_reason && { label: "Because", value: html`<bdi>${of.decision_reason}</bdi>` },
            ]} />
            <h3 class="govuk-heading-s">What it would do</h3>
            <${What} text=${of.what} reference=${reference} now=${now} />
            ${of.state === "waiting" && (of.may_decide ? html`<${Decide} of=${of} done=${done} />` : html`<p class="govuk-body">The manager of the area decides, at the MASH.</p>`)}
        <//>
    </li>`;
}

export function HeldPage({ query }) {
    const all = query.get("all") === "1";
    const load = useLoad(address("/api/held", { all }));
    const reference = useReference();
    const [saidNow, setSaid] = useState(null);
    useNow();
    const now = nowMs();
    return html`<${Page} title="Not accepted yet" help=${HELP}>
        <${Done} answer=${saidNow?.answer} title=${saidNow?.title} />
        <${Checkbox} id="all" label="Show those that are decided too" tiny value=${all} onChange=${(on) => go(address("/held", { all: on }), { replace: true, focus: false })} />
        <${Loaded} load=${load} what="what is not accepted">
            ${(found) => html`<p class="govuk-body" role="status">${count(found.total, "change")}${all ? "" : " to be decided"}</p>
                ${found.held.length === 0
                    ? html`<p class="govuk-body spoke-empty">Everything that was sent is accepted.</p>`
                    : html`<ol class="spoke-cards">${found.held.map((h) => html`<${One} key=${h.id} of=${h} now=${now} reference=${reference} done=${setSaid} />`)}</ol>`}`}
        <//>
    <//>`;
}
