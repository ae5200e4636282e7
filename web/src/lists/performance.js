// How the work goes: what came, how it was rated, what came of it, how long it took, and how soon partners answered.
import { useState } from "preact/hooks";
import { download, query as address } from "../api.js";
import { count, londonTime, ragWord, span } from "../format.js";
import { html } from "../html.js";
import { Button, DateField, ErrorSummary, Facts, Form, Loaded, Page, Select, Table, dateFault } from "../parts/index.js";
import { go } from "../router.js";
import { useLoad, useReference } from "../store.js";
import { dayEnd } from "./audit.js";

const HELP = html`<p class="govuk-body">
    Counted over the cases that this device holds: at the MASH those of its areas, at a partner those it takes part in. “In time” is held against
    the time scales that the MASH has set.
</p>`;
const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);
const minutes = (n) => (n === null ? "–" : span(n));

// A bar beside its number; the number says it all.
function Bar({ n, of }) {
    return html`<svg class="spoke-bar" viewBox="0 0 100 8" aria-hidden="true" focusable="false" preserveAspectRatio="none">
        <rect x="0" y="0" width=${of > 0 ? (100 * n) / of : 0} height="8" />
    </svg>`;
}
function Counts({ caption, first, rows }) {
    const most = Math.max(0, ...rows.map((r) => r.cases));
    return html`<${Table} caption=${caption} rows=${rows} rowKey=${(r) => r.code ?? "-"} empty="No cases." columns=${[
        { name: "label", text: first, header: true, sort: (r) => r.label, cell: (r) => r.label },
        { name: "cases", text: "Cases", numeric: true, sort: (r) => r.cases, cell: (r) => html`${r.cases} <${Bar} n=${r.cases} of=${most} />` },
    ]} />`;
}
function Tables({ of }) {
    return html`<${Facts} rows=${[
            { label: "Cases", value: count(of.cases, "case") },
            { label: "Reds decided in time", value: of.red_in_time.cases ? `${of.red_in_time.within} of ${of.red_in_time.cases} (${percent(of.red_in_time.share)})` : "No red case was decided or due yet" },
            { label: "Referred again", value: `${of.re_referrals.cases} of ${of.re_referrals.of}` },
        ]} />
        <${Counts} caption="Who referred" first="Source" rows=${of.by_source} />
        <${Counts} caption="Primary need" first="Need" rows=${of.by_need} />
        <${Counts} caption="Presenting issue" first="Issue" rows=${of.by_issue} />
        <${Table} caption="Rating before and after" rows=${of.by_rating} rowKey=${(r) => `${r.before} ${r.after}`} empty="No cases." columns=${[
            { name: "before", text: "Before", header: true, sort: (r) => r.before, cell: (r) => ragWord(r.before) },
            { name: "after", text: "After", sort: (r) => r.after, cell: (r) => (r.after ? ragWord(r.after) : "Not decided yet") },
            { name: "cases", text: "Cases", numeric: true, sort: (r) => r.cases, cell: (r) => r.cases },
        ]} />
        <${Counts} caption="Outcome" first="Outcome" rows=${of.by_outcome} />
        <${Table} caption="Time to the decision" rows=${of.times} rowKey=${(r) => r.rag ?? "-"} empty="No cases." columns=${[
            { name: "rag", text: "First rated", header: true, sort: (r) => r.rag, cell: (r) => ragWord(r.rag) },
            { name: "cases", text: "Cases", numeric: true, sort: (r) => r.cases, cell: (r) => r.cases },
            { name: "median", text: "Half were decided within", sort: (r) => r.median_minutes, cell: (r) => minutes(r.median_minutes) },
            { name: "share", text: "In time", numeric: true, sort: (r) => r.share, cell: (r) => percent(r.share) },
        ]} />
        <${Table} caption="How partners answered" rows=${of.partners} rowKey=${(r) => r.agency} empty="Nobody was asked." columns=${[
            { name: "agency", text: "Agency", header: true, sort: (r) => r.agency_name, cell: (r) => r.agency_name || r.agency },
            { name: "asked", text: "Asked", numeric: true, sort: (r) => r.asked, cell: (r) => r.asked },
            { name: "answered", text: "Answered", numeric: true, sort: (r) => r.answered, cell: (r) => r.answered },
            { name: "declined", text: "Declined", numeric: true, sort: (r) => r.declined, cell: (r) => r.declined },
            { name: "late", text: "Late", numeric: true, sort: (r) => r.late, cell: (r) => r.late },
            { name: "median", text: "Half came within", sort: (r) => r.median_minutes, cell: (r) => minutes(r.median_minutes) },
            { name: "share", text: "In time", numeric: true, sort: (r) => r.share_in_time, cell: (r) => percent(r.share_in_time) },
        ]} />`;
}

export function PerformancePage({ query }) {
    const [from, setFrom] = useState(query.get("from") || "");
    const [to, setTo] = useState(query.get("to") || "");
    const [area, setArea] = useState(query.get("area") || "");
    const [problem, setProblem] = useState({ errors: [], error: null, turn: 0 });
    const areas = useReference()?.areas ?? [];
    const asked = { from: query.get("from") ? londonTime(query.get("from")) : null, to: query.get("to") ? dayEnd(query.get("to")) : null, area: query.get("area") };
    const load = useLoad(address("/api/performance", asked));
    const submit = async () => {
        const errors = [["from", from], ["to", to]].map(([id, v]) => ({ id, message: dateFault(v) })).filter((e) => e.message);
        setProblem((was) => ({ errors, error: null, turn: was.turn + 1 }));
        if (errors.length === 0) go(address("/performance", { from, to, area }), { focus: false });
    };
    const save = () => download(address("/api/performance.csv", asked), "performance.csv").catch((error) => setProblem((was) => ({ errors: [], error, turn: was.turn + 1 })));
    return html`<${ErrorSummary} errors=${problem.errors} error=${problem.error} turn=${problem.turn} />
        <${Page} title="Performance" help=${HELP}>
            <${Form} submit=${submit}>
                <${DateField} id="from" label="Cases received from" optional value=${from} onChange=${setFrom} />
                <${DateField} id="to" label="To" optional value=${to} onChange=${setTo} />
                ${areas.length > 1 &&
                html`<${Select} id="area" label="Area" value=${area} onChange=${setArea} empty="All" items=${areas.map((a) => ({ value: a, text: a }))} />`}
                <div class="spoke-row">
                    <${Button}>Show<//>
                    <${Button} type="button" kind="secondary" onClick=${save}>Save as a spreadsheet (CSV)<//>
                </div>
            <//>
            <${Loaded} load=${load} what="the figures">${(of) => html`<${Tables} of=${of} />`}<//>
        <//>`;
}
