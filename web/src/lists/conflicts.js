// Two versions of one thing: both with who, when and where, and the form that settles it.
import { useState } from "preact/hooks";
import { query as address } from "../api.js";
import { useDraft } from "../draft.js";
import { count, nowMs, when, whenMid, words } from "../format.js";
import { html } from "../html.js";
import { Button, Card, Checkbox, Done, ErrorSummary, Facts, Form, Loaded, Notice, Page, Radios, Tag, Textarea, Unsent } from "../parts/index.js";
import { Link, go } from "../router.js";
import { useLoad, useNow, useReference } from "../store.js";
import { useAct } from "./acts.js";
import { Right, typed } from "./value.js";

const HELP = html`<p class="govuk-body">
        Two people wrote different things in the same place, each without knowing of the other. Nothing is lost: both versions are kept here,
        with who wrote them, where and when. One of them stands for the time being.
    </p>
    <p class="govuk-body">Whoever may write there can settle it: keep one, keep the other, or write what is right, and say why.</p>`;

function Version({ title, of, which }) {
    const { [`${which}_text`]: text, [`${which}_person`]: person, [`${which}_at`]: at } = of;
    const place = [of[`${which}_site_name`], of[`${which}_agency_name`]].filter(Boolean).join(", ");
    return html`<div class="spoke-version">
        <h3 class="govuk-heading-s">${title}</h3>
        <p class="govuk-body spoke-version__text">${text ?? "(nothing)"}</p>
        <p class="govuk-body-s">${person ? html`<bdi>${person.name}</bdi>, ${place || "place not known"}` : "Who wrote it is not known here"}</p>
        <p class="govuk-body-s">${at ? `Written ${whenMid(at)}` : "When it was written is not known"}</p>
        ${of.state !== "settled" && of.now_text === text && html`<p class="govuk-body-s"><${Tag} tone="green">Stands for now<//></p>`}
    </div>`;
}

const nothing = (text) => text === null || text === undefined || text === "(nothing)";
// The whole of it stands above.
const SHORT = 120;
const short = (text) => ([...text].length > SHORT ? `${[...text].slice(0, SHORT).join("")} …` : text);
const quoted = (text) => (nothing(text) ? "Nothing" : html`“<bdi class="spoke-version__value">${short(text)}</bdi>”`);
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const thing = (of) => of.what ?? "something that a newer Spoke writes";

function choices(of, own) {
    const items = [
        { value: "kept", text: html`${quoted(of.kept_text)}, one version` },
        { value: "lost", text: html`${quoted(of.lost_text)}, the other version` },
    ];
    if (of.now_text !== of.kept_text && of.now_text !== of.lost_text) items.push({ value: "now", text: html`${quoted(of.now_text)}, as it stands by now` });
    return [...items, { value: "value", text: "Neither: I write what is right", conditional: own }];
}

function Settle({ of, reference, done }) {
    const id = `settle-${of.id}`;
    const [{ keep, value, reason }, change, forget] = useDraft(id, { keep: null, value: null, reason: "" });
    const set = (name) => (to) => change((was) => ({ ...was, [name]: typeof to === "function" ? to(was[name]) : to }));
    const act = useAct();
    const send = async () => {
        const errors = [];
        const right = keep === "value" ? typed(of.col, value) : { value: null };
        if (!keep) errors.push({ id: `${id}-keep`, message: "Choose what is to stand" });
        if (right.fault) errors.push({ id: `${id}-value`, message: right.fault });
        if (!reason.trim()) errors.push({ id: `${id}-reason`, message: "Say why, for whoever reads this later" });
        const answer = await act.run("conflict-settle", { id: of.id, keep, value: right.value ?? null, reason }, errors);
        if (!answer) return;
        forget();
        done({ answer, title: `Settled: ${thing(of)}${of.reference ? `, case ${of.reference}` : ""}` });
    };
    const fault = (which) => act.errors.find((e) => e.id === `${id}-${which}`)?.message;
    const own = html`<${Right} id=${`${id}-value`} column=${of.col} reference=${reference} value=${value} onChange=${set("value")} error=${fault("value")} />`;
    return html`<${ErrorSummary} errors=${act.errors} error=${act.error} turn=${act.turn} />
        <${Form} submit=${send}>
            <${Radios} id=${`${id}-keep`} label="What is right?" value=${keep} onChange=${set("keep")} error=${fault("keep")} items=${choices(of, own)} />
            <${Textarea} id=${`${id}-reason`} label="Why" rows=${2} value=${reason} onChange=${set("reason")} error=${fault("reason")} />
            <${Button} busy=${act.busy && "Saving …"}>Settle it<span class="govuk-visually-hidden">: ${thing(of)}, case ${of.reference ?? "not here"}</span><//>
        <//>`;
}

function One({ of, now, reference, done }) {
    const title = html`${capital(thing(of))}${of.reference ? html`, case <${Link} to=${`/case/${of.case_id}`}>${of.reference}<//>` : ""}`;
    return html`<li>
        <${Card} title=${title} actions=${html`<${Tag} tone=${of.state === "open" ? "orange" : "grey"}>${words(of.stage)}<//> <${Unsent} of=${of} />`}>
            ${of.red && of.state === "open" && html`<${Notice} kind="warning" title="Red case">Tell the area’s manager now.<//>`}
            <div class="spoke-versions">
                <${Version} title="One version" of=${of} which="kept" />
                <${Version} title="The other version" of=${of} which="lost" />
            </div>
            <${Facts} rows=${[
                { label: "Found", value: when(of.found_at, now) },
                { label: "The rule", value: of.rule && words(of.rule) },
                (of.state === "settled" || (of.now_text !== of.kept_text && of.now_text !== of.lost_text)) && { label: "Stands now", value: html`<bdi>${of.now_text ?? "(nothing)"}</bdi>` },
                of.state === "settled" && { label: "Settled", value: `${when(of.resolved_at, now)} by ${of.resolved_by?.name ?? "somebody"}` },
                of.reason && { label: "Why", value: html`<bdi>${of.reason}</bdi>` },
            ]} />
            ${of.state !== "settled" && html`<${Settle} of=${of} reference=${reference} done=${done} />`}
        <//>
    </li>`;
}

export function ConflictsPage({ query }) {
    const all = query.get("all") === "1";
    const load = useLoad(address("/api/conflicts", { all }));
    const reference = useReference();
    const [said, setSaid] = useState(null);
    useNow();
    const now = nowMs();
    return html`<${Page} title="Two versions" help=${HELP}>
        <${Done} answer=${said?.answer} title=${said?.title} />
        <${Checkbox} id="all" label="Show those that are decided or settled too" tiny value=${all} onChange=${(on) => go(address("/conflicts", { all: on }), { replace: true, focus: false })} />
        <${Loaded} load=${load} what="the versions">
            ${(found) => html`<p class="govuk-body" role="status">${count(found.total, "place")} with two versions${all ? "" : " to be decided"}</p>
                ${found.conflicts.length === 0
                    ? html`<p class="govuk-body spoke-empty">Nothing waits to be decided.</p>`
                    : html`<ol class="spoke-cards">${found.conflicts.map((c) => html`<${One} key=${c.id} of=${c} now=${now} reference=${reference} done=${setSaid} />`)}</ol>`}`}
        <//>
    <//>`;
}
