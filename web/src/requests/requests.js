// What this agency is asked, and what it asked: with the time that is left, and one step to the answer.
import { useState } from "preact/hooks";
import { act, query as address } from "../api.js";
import { RESULT, count, nowMs, words } from "../format.js";
import { html } from "../html.js";
import { Button, ButtonLink, Card, Checkbox, Clock, ErrorSummary, Facts, Loaded, Page, Prose, Rating, SubNavigation, Tag, Time, Unsent } from "../parts/index.js";
import { Link, go } from "../router.js";
import { useLoad, useNow } from "../store.js";

const HELP = {
    in: html`<p class="govuk-body">
            Other agencies, most often the MASH, ask your agency here what it knows about a person. Answer each: even “not known to us”
            helps, because then nobody waits. The most urgent stands first.
        </p>
        <p class="govuk-body">
            If you hold something, write what it means for this child or adult in your own words. You choose whether everybody in the
            case sees it, or only the MASH until your agency gives permission to share.
        </p>
        <p class="govuk-body">Many to answer? Take them into a spreadsheet with “Answer many at once”, and bring them back.</p>`,
    out: html`<p class="govuk-body">
        What your agency asked others, and how it stands. Where an answer is late you can ask once more. To ask somebody, open the case.
    </p>`,
};
const STATE = {
    open: { tone: "blue", text: "Waiting for the answer" },
    answered: { tone: "green", text: "Answered" },
    declined: { tone: "orange", text: "Declined" },
    cancelled: { tone: "grey", text: "Taken back" },
};

// One press; what came of it stands where it was pressed, because nothing else on the page changes.
function Chase({ of, about }) {
    const [state, setState] = useState({ busy: false, said: null, error: null, turn: 0 });
    const chase = async () => {
        if (state.busy) return;
        setState((was) => ({ ...was, busy: true, error: null }));
        try {
            const answer = await act("request-chase", { id: of.id });
            setState((was) => ({ ...was, busy: false, said: answer.notes?.join(" ") || "Asked once more. It goes out with the next contact." }));
        } catch (error) {
            setState((was) => ({ ...was, busy: false, error, turn: was.turn + 1 }));
        }
    };
    return html`<${ErrorSummary} error=${state.error} turn=${state.turn} />
        <${Button} type="button" kind="secondary" busy=${state.busy && "One moment …"} onClick=${chase}>Ask once more${about}<//>
        <p class="govuk-body" role="status">${state.said}</p>`;
}

function Acts({ of, way }) {
    const base = `/case/${of.case_id}/requests/${of.id}`;
    const from = `?from=${encodeURIComponent(`/requests/${way}`)}`;
    const whom = way === "out" ? ` (${of.to_agency_name || of.to_agency})` : "";
    const about = html`<span class="govuk-visually-hidden"> about ${of.reference}${whom}</span>`;
    if (of.state !== "open") return null;
    if (way === "in")
        return html`<div class="spoke-row">
            <${ButtonLink} to=${`${base}/answer${from}`}>Answer${about}<//>
            <${ButtonLink} kind="secondary" to=${`${base}/decline${from}`}>Decline with a reason${about}<//>
        </div>`;
    return html`<div class="spoke-row">
        <${Chase} of=${of} about=${about} />
        <${Link} to=${`${base}/cancel${from}`}>Take the question back${about}<//>
    </div>`;
}

function One({ of, way, now }) {
    const state = STATE[of.state] || { tone: "grey", text: words(of.state) };
    const title = html`<${Link} to=${`/case/${of.case_id}`}>${of.reference}<//> <${Rating} rag=${of.case_rag || of.rag} />`;
    return html`<li>
        <${Card} title=${title} level=${2} actions=${html`<${Tag} tone=${state.tone}>${state.text}<//> <${Unsent} of=${of} />`}>
            <${Prose} text=${of.question} className="spoke-question" />
            <${Facts} className="govuk-summary-list--no-border spoke-facts" rows=${[
                { label: way === "in" ? "Asked by" : "Asked of", value: way === "in" ? of.agency_name || of.agency : of.to_agency_name || of.to_agency },
                { label: "Asked", value: html`<${Time} at=${of.asked_at} now=${now} />` },
                of.chased_at && { label: "Asked once more", value: html`<${Time} at=${of.chased_at} now=${now} />` },
                of.state === "open" && { label: "Answer due", value: of.due_at ? html`<${Clock} at=${of.due_at} now=${now} />` : "No time set" },
                { label: "Basis", value: of.lawful_basis },
                of.result && { label: "Answer", value: RESULT[of.result] || words(of.result) },
                of.answered_at && { label: "Answered", value: html`<${Time} at=${of.answered_at} now=${now} />` },
                of.state !== "open" && { label: "Reason", value: of.reason },
            ]} />
            <${Acts} of=${of} way=${way} />
        <//>
    </li>`;
}

export function RequestsPage({ way: asked, query }) {
    const way = asked === "out" ? "out" : "in";
    const all = query.get("all") === "1";
    const load = useLoad(address("/api/requests", { way, open: !all }), { every: 60000 });
    useNow();
    const now = nowMs();
    const here = `/requests/${way}`;
    return html`<${Page} title=${way === "in" ? "Asked of your agency" : "Asked by your agency"} help=${HELP[way]}>
        <${SubNavigation} name="Requests" current=${here}
            items=${[{ to: "/requests/in", text: "Asked of us" }, { to: "/requests/out", text: "Asked by us" }, { to: "/requests/csv", text: "Answer many at once" }]} />
        <${Checkbox} id="all" label="Show those that are done too" tiny value=${all}
            onChange=${(on) => go(address(here, { all: on }), { replace: true, focus: false })} />
        <${Loaded} load=${load} what="the requests">
            ${(found) => html`<p class="govuk-body" role="status">${count(found.total, "request")}${all ? "" : " still open"}</p>
                ${found.requests.length === 0
                    ? html`<p class="govuk-body spoke-empty">${way === "in" ? "Nobody waits for an answer of your agency." : "Your agency waits for no answer."}</p>`
                    : html`<ol class="spoke-cards">${found.requests.map((r) => html`<${One} key=${r.id} of=${r} way=${way} now=${now} />`)}</ol>`}
                ${found.total > found.requests.length && html`<p class="govuk-body">The ${found.requests.length} most urgent are shown.</p>`}`}
        <//>
    <//>`;
}
