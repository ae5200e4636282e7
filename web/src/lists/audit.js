// Who did what on this device, and when: the six acts that the law wants logged. No content.
import { useState } from "preact/hooks";
import { download, query as address } from "../api.js";
import { count, londonTime, nowMs, when, words } from "../format.js";
import { html } from "../html.js";
import { Button, DateField, ErrorSummary, Field, Form, Loaded, Page, Select, Table, dateFault } from "../parts/index.js";
import { Link, go } from "../router.js";
import { useLoad, useReference, useSession } from "../store.js";

const KINDS = [
    ["collection", "Collection: something was written down"],
    ["alteration", "Alteration: something was changed"],
    ["consultation", "Consultation: somebody looked"],
    ["disclosure", "Disclosure: somebody was told"],
    ["combination", "Combination: cases or people were put together"],
    ["erasure", "Erasure: something was removed here"],
];
const HELP = html`<p class="govuk-body">
        Everything that was done on this device: who, when, what, and in which case. The words of a case never stand here. Looks at sensitive
        records are told to the MASH too.
    </p>`;

export const dayEnd = (date) => {
    const start = londonTime(date, "00:00");
    return start && new Date(Date.parse(start) + 86400000 - 1).toISOString();
};

export function AuditPage({ query }) {
    const [from, setFrom] = useState(query.get("from") || "");
    const [to, setTo] = useState(query.get("to") || "");
    const [kind, setKind] = useState(query.get("kind") || "");
    const [who, setWho] = useState(query.get("who") || "");
    const [about, setAbout] = useState(query.get("case") || "");
    const [problem, setProblem] = useState({ errors: [], error: null, turn: 0 });
    const reference = useReference();
    const session = useSession();
    const people = (reference?.people ?? []).filter((p) => p.site === session?.site).map((p) => ({ value: p.id, text: p.name }));
    const asked = {
        from: query.get("from") ? londonTime(query.get("from")) : null,
        to: query.get("to") ? dayEnd(query.get("to")) : null,
        kind: query.get("kind"),
        who: query.get("who"),
        case: query.get("case"),
    };
    const load = useLoad(address("/api/audit", asked));
    const submit = async () => {
        const errors = [["from", from], ["to", to]].map(([id, v]) => ({ id, message: dateFault(v) })).filter((e) => e.message);
        setProblem((was) => ({ errors, error: null, turn: was.turn + 1 }));
        if (errors.length === 0) go(address("/audit", { from, to, kind, who, case: about.trim() }), { focus: false });
    };
    const save = () => download(address("/api/audit.csv", asked), "audit.csv").catch((error) => setProblem((was) => ({ errors: [], error, turn: was.turn + 1 })));
    const now = nowMs();
    const columns = [
        { name: "at", text: "When", sort: (r) => r.at, cell: (r) => when(r.at, now) },
        { name: "person", text: "Who", sort: (r) => r.person?.name, cell: (r) => r.person?.name ?? "The device itself" },
        { name: "kind", text: "Which act", sort: (r) => r.kind, cell: (r) => words(r.kind) },
        { name: "what", text: "What", header: true, sort: (r) => r.what, cell: (r) => `${words(r.what)}${r.about ? ` (${r.about.name})` : ""}` },
        { name: "case", text: "Case", sort: (r) => r.reference, cell: (r) => (r.reference ? html`<${Link} to=${`/case/${r.case_id}`}>${r.reference}<//>` : "") },
    ];
    return html`<${ErrorSummary} errors=${problem.errors} error=${problem.error} turn=${problem.turn} />
        <${Page} title="Audit" help=${HELP}>
            <${Form} submit=${submit}>
                <${DateField} id="from" label="From" optional value=${from} onChange=${setFrom} />
                <${DateField} id="to" label="To" optional value=${to} onChange=${setTo} />
                <${Select} id="kind" label="Which acts" value=${kind} onChange=${setKind} empty="All" items=${KINDS.map(([value, text]) => ({ value, text }))} />
                <${Select} id="who" label="Who" value=${who} onChange=${setWho} empty="Everybody" items=${people} />
                <${Field} id="case" label="Case" hint="Its reference, such as C-7K2M9QXD" optional width="20" value=${about} onChange=${setAbout} />
                <div class="spoke-row">
                    <${Button}>Show<//>
                    <${Button} type="button" kind="secondary" onClick=${save}>Save as a spreadsheet (CSV)<//>
                </div>
            <//>
            <${Loaded} load=${load} what="the log">
                ${(found) => html`<p class="govuk-body" role="status">
                        ${count(found.total, "entry", "entries")}${found.total > found.entries.length ? `, the newest ${found.entries.length} are shown` : ""}
                    </p>
                    <${Table} caption="What was done" hideCaption columns=${columns} rows=${found.entries} rowKey=${(r) => `${r.at} ${r.what} ${r.case_id} ${r.person?.id} ${found.entries.indexOf(r)}`}
                        empty="Nothing in this time." />`}
            <//>
        <//>`;
}
