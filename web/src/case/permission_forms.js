// Asking to be told; choosing what another agency is told, with a preview of exactly that, and refusing.
import { useEffect, useRef, useState } from "preact/hooks";
import { act } from "../api.js";
import { forgetDraft } from "../draft.js";
import { html } from "../html.js";
import { Button, ErrorSummary, Facts, Form, Loaded, Notice, Prose } from "../parts/index.js";
import { Link } from "../router.js";
import { useLoad } from "../store.js";
import { ActForm } from "./act_form.js";
import { Part, When, agencyOf } from "./bits.js";
import { howWords, sightWords } from "./words.js";

const agencyItems = (ctx) =>
    (ctx.reference?.agencies ?? []).filter((a) => a.code !== ctx.session.agency).map((a) => [a.code, a.name || a.code]);
const nameIn = (items, code) => items.find(([c]) => c === code)?.[1] ?? code;

function AskForm({ ctx }) {
    const { data, query } = ctx;
    const agencies = agencyItems(ctx);
    const wanted = query.get("agency");
    const pointers = (code) => data.pointers.filter((p) => p.agency === code);
    const fields = (v) => [
        {
            name: "to_agency",
            kind: "select",
            label: "Which agency do you ask?",
            items: agencies,
            value: agencies.some(([c]) => c === wanted) ? wanted : "",
            need: "Choose which agency you ask",
        },
        {
            name: "pointer_id",
            kind: "select",
            label: "What do you ask about?",
            empty: "Whatever they hold",
            items: pointers(v.to_agency).map((p) => [p.id, p.note || "What they said that they hold"]),
            shown: (now) => pointers(now.to_agency).length > 0,
        },
        {
            name: "reason",
            kind: "area",
            rows: 4,
            label: "What do you need it for?",
            hint: "The owner decides by what you write here.",
            need: "Say what you need it for",
        },
    ];
    return html`<${Part} title="Ask for permission to share" of=${data.case}>
        <${ActForm}
            name=${`release-ask ${ctx.id} ${wanted ?? ""}`} act="release-ask" fixed=${{ case_id: data.case.id }} fields=${fields} cancel=${`${ctx.at}/permission`}
            send=${(v) => (v.to_agency ? `Ask ${nameIn(agencies, v.to_agency)}` : "Ask them")}
            next="They see your question after their next contact, and decide whether you are told, and how. You see their answer here."
            done=${(a, v) => ctx.finish("/permission", `${nameIn(agencies, v.to_agency)} is asked for permission`, a)}
        />
    <//>`;
}

const tellFields = (records, agencies) => [
    {
        name: "record_id",
        kind: "radios",
        label: "Which of your records?",
        items: records,
        need: "Choose one of your records",
        shown: () => records.length > 1,
    },
    {
        name: "to_agency",
        kind: "select",
        label: "Which agency is told?",
        items: agencies,
        need: "Choose which agency is told",
        shown: () => agencies.length > 1,
    },
    {
        name: "how",
        kind: "radios",
        label: "How are they told?",
        need: "Choose how they are told",
        items: [
            ["whole", "The whole record", "They get a copy of it as it stands now."],
            ["redacted", "In other words", "They get only what you write here."],
            ["spoken", "By word of mouth", "They get no text. You ring them; it stays on record that you told them."],
        ],
    },
    { name: "title", kind: "text", label: "Title of what they get", shown: (v) => v.how === "redacted", optional: true },
    {
        name: "redacted",
        kind: "area",
        rows: 6,
        label: "What they may know",
        hint: "They see this and nothing else of your record.",
        shown: (v) => v.how === "redacted",
        need: "Write what they may know",
    },
    {
        name: "conditions",
        kind: "text",
        label: "Conditions",
        hint: "Such as “For your own assessment only; do not tell the father”.",
        optional: true,
    },
    {
        name: "until",
        kind: "when",
        label: "Until when may they see it?",
        hint: "Leave this empty if there is no end. Afterwards it leaves their devices.",
        future: true,
    },
];

function Shown({ preview, name, how, now }) {
    return html`<section class="case-preview" aria-labelledby="case-preview">
        <h3 class="govuk-heading-s" id="case-preview">${`This is all that ${name} gets`}</h3>
        ${
            preview.title || preview.body
                ? html`<p class="govuk-body"><strong>${preview.title}</strong></p><${Prose} text=${preview.body} />`
                : html`<p class="govuk-body">No text. Ring them and tell them.</p>`
        }
        <${Facts}
            rows=${[
                { label: "How", value: howWords(how) },
                { label: "Conditions", value: preview.conditions || "None" },
                { label: "Until", value: preview.until ? html`<${When} at=${preview.until} now=${now} left />` : "No end is set" },
            ]}
        />
        ${(preview.notes ?? []).map((note) => html`<p class="govuk-body" key=${note}>${note}</p>`)}
    </section>`;
}

/* The second step: what they would get is on the page, and the permission is bound to just that (`shown`). Where the
 * record has changed meanwhile nothing is told, and it can be looked at anew. */
function Agree({ step, name, ctx, again, finish }) {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(null);
    const [turn, setTurn] = useState(0);
    const ref = useRef(null);
    useEffect(() => ref.current?.focus(), [step]);
    async function grant() {
        setBusy(true);
        setError(null);
        try {
            finish(await act("release-grant", { ...step.body, shown: step.preview.shown }));
        } catch (e) {
            setError(e);
            setTurn((t) => t + 1);
        } finally {
            setBusy(false);
        }
    }
    return html`<div ref=${ref} tabindex="-1" class="case-step">
        <${ErrorSummary} error=${error} turn=${turn} />
        <${Shown} preview=${step.preview} name=${name} how=${step.body.how} now=${ctx.now} />
        <${Form} submit=${grant}>
            <div class="govuk-button-group">
                <${Button} busy=${busy && "One moment …"}>${`Tell ${name} exactly this`}<//>
                <${Button} type="button" kind="secondary" onClick=${again}>${error ? "Look at it again" : "Change something first"}<//>
            </div>
        <//>
    </div>`;
}

function Tell({ ctx, record, ask }) {
    const load = useLoad(`/api/cases/${ctx.id}/chronology`);
    const [step, setStep] = useState(null);
    const back = `${ctx.at}/permission`;
    const form = `tell ${ask?.id ?? record}`;
    // What was told to one agency is no beginning of what the next one is told.
    const told = (name, answer) => {
        forgetDraft(form);
        ctx.finish("/permission", `${name} is told`, answer);
    };
    return html`<${Loaded} load=${load} what="your records">
        ${(got) => {
            const own = got.entries.filter((e) => e.tbl === "record" && e.agency === ctx.session.agency && (!record || e.id === record));
            if (!own.length)
                return html`<p class="govuk-body">
                    Your agency has no record in this case yet. <${Link} to=${`${ctx.at}/chronology/add`}>Add what your agency knows<//> first, or refuse.
                </p>`;
            const agencies = ask ? [[ask.agency, agencyOf(ask)]] : agencyItems(ctx);
            const name = (code) => nameIn(agencies, code);
            const fixed = {
                ask_id: ask?.id ?? null,
                ...(own.length === 1 && { record_id: own[0].id }),
                ...(agencies.length === 1 && { to_agency: agencies[0][0] }),
            };
            const records = own.map((e) => [e.id, e.title || "Without a title", sightWords(e.seen_by) ?? undefined]);
            if (step)
                return html`<${Agree}
                    step=${step} name=${name(step.body.to_agency)} ctx=${ctx} again=${() => setStep(null)}
                    finish=${(a) => told(name(step.body.to_agency), a)}
                />`;
            return html`${own.length === 1 && html`<blockquote class="case-quote"><p class="govuk-body"><strong>${own[0].title}</strong></p><${Prose} text=${own[0].body} /></blockquote>`}
                <${ActForm}
                    name=${form} keep fields=${tellFields(records, agencies)} fixed=${fixed} cancel=${back} send="Show me what they would get"
                    body=${(v, plain) => ({ redacted: null, title: null, ...fixed, ...plain })}
                    run=${async (body) => ({ body, preview: await act("release-preview", body) })}
                    done=${setStep} next="Nothing is told yet. The next step shows exactly what they would get."
                />`;
        }}
    <//>`;
}

function TellRecord({ ctx, rid }) {
    return html`<${Part} title="Tell one agency what you hold" of=${ctx.data.case}><${Tell} ctx=${ctx} record=${rid} /><//>`;
}

function waitingAsk(ctx, aid) {
    const r = ctx.data.releases.find((one) => one.id === aid);
    if (r && r.state === "asked") return { r };
    return {
        words: html`<p class="govuk-body">
        ${r ? "This question does not wait for an answer any more." : "This question is not here any more."} <${Link} to=${`${ctx.at}/permission`}>Back to permission to share<//>
    </p>`,
    };
}

function AnswerAsk({ ctx, aid }) {
    const { r, words } = waitingAsk(ctx, aid);
    return html`<${Part} title="May they be told, and how?" of=${ctx.data.case}>
        ${
            words ||
            html`<blockquote class="case-quote"><p class="govuk-body"><strong>${agencyOf(r)} asks:</strong></p><${Prose} text=${r.reason} /></blockquote>
            <${Notice} title="Before you decide">
                Sharing to protect a child or adult can be as important as keeping what was told in confidence. Tell what is needed, to whom it is needed.
            <//>
            <${Tell} ctx=${ctx} ask=${r} />
            <p class="govuk-body"><${Link} to=${`${ctx.at}/permission/${aid}/refuse`}>They may not be told? Refuse, and say why<//></p>`
        }
    <//>`;
}

function Refuse({ ctx, aid }) {
    const { r, words } = waitingAsk(ctx, aid);
    const fields = [
        {
            name: "reason",
            kind: "area",
            rows: 3,
            label: "Why may they not be told?",
            hint: "They read this.",
            need: "Say why they may not be told",
        },
    ];
    return html`<${Part} title="Refuse permission to share" of=${ctx.data.case}>
        ${
            words ||
            html`<${ActForm}
            name=${`refuse ${aid}`} act="release-refuse" fixed=${{ id: aid }} fields=${fields} grave send="Refuse, and tell them why" cancel=${`${ctx.at}/permission`}
            next=${`${agencyOf(r)} sees that you refuse, and why. You can still tell them later, from the record itself.`}
            done=${(a) => ctx.finish("/permission", `${agencyOf(r)} is told that you refuse, and why`, a)}
        />`
        }
    <//>`;
}

function CancelAsk({ ctx, aid }) {
    const { words } = waitingAsk(ctx, aid);
    return html`<${Part} title="Take the question back" of=${ctx.data.case}>
        ${
            words ||
            html`<${ActForm}
            name=${`release-cancel ${aid}`} act="release-cancel" fixed=${{ id: aid }} fields=${[]} grave send="Take the question back"
            cancel=${`${ctx.at}/permission`} next="They no longer have to answer." done=${(a) => ctx.finish("/permission", "The question is taken back", a)}
        />`
        }
    <//>`;
}

function PointerForm({ ctx }) {
    const fields = [
        {
            name: "note",
            kind: "text",
            label: "What may everybody know?",
            hint: "Such as “We hold something about the father’s past. Ask us.” Say no more than everybody in this case may read.",
            need: "Write what everybody may know",
        },
        { name: "contact", kind: "text", label: "Whom should they ask?", hint: "A name or a telephone number.", optional: true },
    ];
    return html`<${Part} title="Say that your agency holds something" of=${ctx.data.case}>
        <${ActForm}
            name=${`pointer ${ctx.id}`} act="pointer-add" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} send="Let everybody in this case know" cancel=${`${ctx.at}/permission`}
            next="Everybody in this case sees that you hold something, and can ask. What it is stays with you." done=${(a) => ctx.finish("/permission", "Everybody in this case is told that you hold something", a)}
        />
    <//>`;
}

export function PermissionForms(ctx, [a, b]) {
    if (a === "ask") return html`<${AskForm} ctx=${ctx} />`;
    if (a === "pointer") return html`<${PointerForm} ctx=${ctx} />`;
    if (a === "tell") return html`<${TellRecord} ctx=${ctx} rid=${b} />`;
    const form = { answer: AnswerAsk, refuse: Refuse, cancel: CancelAsk }[b];
    return form ? html`<${form} ctx=${ctx} aid=${a} />` : null;
}
