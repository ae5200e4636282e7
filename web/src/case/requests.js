// Who was asked what they know, and what they said: asking, answering, chasing, declining, taking back.
import { RESULT, count, list } from "../format.js";
import { html } from "../html.js";
import { ButtonLink, Prose, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { ActForm } from "./act_form.js";
import { Line, List, Part, When, agencyOf } from "./bits.js";
import { analysisHint, consentField, personItems, sensitivityField } from "./record_forms.js";
import { recordKindItems, resultWords } from "./words.js";

const isLate = (r, now) => r.state === "open" && r.due_at && Date.parse(r.due_at) < now;

function State({ r, now }) {
    if (r.state === "answered") return html`<${Tag} tone="green">Answered<//>`;
    if (r.state === "declined") return html`<${Tag} tone="orange">Declined<//>`;
    if (r.state === "cancelled") return html`<${Tag}>Taken back<//>`;
    return isLate(r, now) ? html`<${Tag} tone="red">Late: no answer yet<//>` : html`<${Tag} tone="blue">Waits for an answer<//>`;
}

function Request({ r, ctx }) {
    const { at, now, session, data } = ctx;
    const ours = r.agency === session.agency;
    const toUs = r.to_agency === session.agency;
    const open = r.state === "open";
    return html`<h3 class="govuk-heading-s">${toUs ? `${agencyOf(r)} asks your agency` : `${agencyOf(r)} asked ${agencyOf(r, "to_agency")}`}</h3>
        <${Line}>
            <${State} r=${r} now=${now} />
            ${html`Asked <${When} mid at=${r.asked_at} now=${now} />`}
            ${open && r.due_at && html`Due <${When} mid at=${r.due_at} now=${now} left />`}
            ${r.chased_at && html`Asked once more <${When} mid at=${r.chased_at} now=${now} />`}
            ${r.answered_at && html`${r.state === "declined" ? "Declined" : "Answered"} <${When} mid at=${r.answered_at} now=${now} />`}
            ${r.answered_by?.name} ${r.unsent && html`<${Unsent} of=${r} />`}
        <//>
        <${Prose} text=${r.question} />
        ${r.lawful_basis && html`<p class="govuk-body-s"><strong>Basis:</strong> ${r.lawful_basis}</p>`}
        ${r.state === "answered" && html`<p class="govuk-body"><strong>Answer:</strong> ${toUs ? (RESULT[r.result] ?? resultWords(r.result)) : resultWords(r.result)}</p>`}
        ${r.state === "declined" && html`<p class="govuk-body"><strong>Why not:</strong> ${r.reason}</p>`}
        ${
            toUs &&
            (open || r.state === "declined") &&
            data.may["request-answer"] !== false &&
            html`<div class="govuk-button-group">
            <${ButtonLink} to=${`${at}/requests/${r.id}/answer`}>Answer this question<//>
            ${open && html`<${Link} to=${`${at}/requests/${r.id}/decline`}>Decline, and say why<//>`}
        </div>`
        }
        ${
            ours &&
            open &&
            html`<div class="govuk-button-group">
            ${data.may["request-chase"] !== false && html`<${ButtonLink} kind="secondary" to=${`${at}/requests/${r.id}/chase`}>Ask once more<span class="govuk-visually-hidden">${`: ${agencyOf(r, "to_agency")}`}</span><//>`}
            <${Link} to=${`${at}/requests/${r.id}/cancel`}>Take this question back<//>
        </div>`
        }`;
}

export function ChaseForm({ ctx, rid }) {
    return html`<${Part} title="Ask once more" of=${ctx.data.case}>
        <${Question} ctx=${ctx} rid=${rid}>
            ${(r) => html`<${ActForm}
                name=${`chase ${rid}`} act="request-chase" fixed=${{ id: rid, reason: null }} fields=${[]} send=${`Ask ${agencyOf(r, "to_agency")} once more`}
                cancel=${back(ctx)} next="They see that you asked again. When the answer is due stays as it was. If it cannot wait, ring them."
                done=${(a) => ctx.finish(back(ctx), `${agencyOf(r, "to_agency")} is asked once more`, a)}
            />`}
        <//>
    <//>`;
}

export function Requests({ ctx }) {
    const { data, at, now } = ctx;
    const order = (r) => (r.state !== "open" ? 2 : isLate(r, now) ? 0 : 1);
    const rows = [...data.requests].sort((a, b) => order(a) - order(b) || String(a.due_at ?? "9").localeCompare(String(b.due_at ?? "9")));
    const open = rows.filter((r) => r.state === "open");
    const late = open.filter((r) => isLate(r, now));
    return html`<${Part} title="Questions and answers" of=${data.case}>
        <p class="govuk-body">
            ${rows.length > 0 && `${count(rows.length, "question")}. ${open.length ? `${open.length} not answered yet${late.length ? `, ${late.length} of them late` : ", none of them late"}` : "None waits for an answer"}.`}
        </p>
        ${
            data.may["request-send"]
                ? html`<${ButtonLink} to=${`${at}/requests/ask`}>Ask agencies what they know<//>`
                : html`<p class="govuk-body">
                  Your agency’s part in this case does not let it ask others. If somebody should be asked, tell the MASH.
              </p>`
        }
        <${List} items=${rows} none="Nobody has been asked yet." each=${(r) => html`<${Request} r=${r} ctx=${ctx} />`} />
    <//>`;
}

export function Ask({ ctx }) {
    const { data, session, reference } = ctx;
    const others = (reference?.agencies ?? []).filter((a) => a.code !== session.agency);
    const inCase = new Set(data.participants.map((p) => p.member));
    const names = (codes) => list(codes.map((c) => others.find((a) => a.code === c)?.name ?? c));
    const fields = [
        {
            name: "agencies",
            kind: "checks",
            label: "Whom do you ask?",
            need: "Choose at least one agency",
            items: others.map((a) => [
                a.code,
                a.name || a.code,
                inCase.has(a.code) ? "Takes part already" : "Will see whom it is about, the warnings and your question",
            ]),
        },
        {
            name: "question",
            kind: "area",
            rows: 5,
            label: "What do you need to know?",
            hint: "Say what you worry about and which time it is about, so that they need not ask back. Everybody whom you ask reads this.",
            need: "Write what you need to know",
        },
        {
            name: "lawful_basis",
            kind: "text",
            label: "On what basis do you ask?",
            hint: "Such as “Child protection: section 47”, or “Consent of the mother”.",
            need: "Say on what basis you ask",
        },
    ];
    return html`<${Part} title="Ask agencies what they know" of=${data.case}>
        <${ActForm}
            name=${`ask ${ctx.id}`} act="request-send" fixed=${{ case_id: data.case.id }} fields=${fields} cancel=${`${ctx.at}/requests`}
            send=${(v) => (v.agencies.length > 1 ? `Send the question to ${v.agencies.length} agencies` : v.agencies.length ? `Send the question to ${names(v.agencies)}` : "Send the question")}
            next="They see the question after their next contact with the MASH. When an answer is due follows from the rating. You see here who has answered, and who is late."
            done=${(a, v) => ctx.finish("/requests", `The question goes to ${names(v.agencies)}`, a)}
        />
    <//>`;
}

// Who came from the list of all cases' questions goes back there.
function back(ctx) {
    const from = ctx.query.get("from");
    return from && /^\/[a-z]/.test(from) ? from : `${ctx.at}/requests`;
}

// A question by its id, or words instead of a form where it cannot be answered any more.
function Question({ ctx, rid, children }) {
    const r = ctx.data.requests.find((q) => q.id === rid);
    if (!r)
        return html`<p class="govuk-body">This question is not here any more. <${Link} to=${`${ctx.at}/requests`}>Back to the questions<//></p>`;
    if (r.state === "answered" || r.state === "cancelled")
        return html`<p class="govuk-body">
            ${r.state === "answered" ? "This question has been answered already." : "This question was taken back. Nothing needs to be answered."}${" "}
            <${Link} to=${`${ctx.at}/requests`}>Back to the questions<//>
        </p>`;
    return html`<blockquote class="case-quote">
            <${Line}>${html`<strong>${agencyOf(r)}</strong>`} ${r.due_at && html`Due <${When} mid at=${r.due_at} now=${ctx.now} left />`}<//>
            <${Prose} text=${r.question} />
            ${r.lawful_basis && html`<p class="govuk-body-s"><strong>Basis:</strong> ${r.lawful_basis}</p>`}
        </blockquote>
        ${children(r)}`;
}

const known = (v) => v.result === "known";
const told = (v) => known(v) && Boolean(v.title.trim() || v.body.trim());
const answerFields = (data) => [
    {
        name: "result",
        kind: "radios",
        label: "What do you know?",
        need: "Choose what your agency knows",
        items: [
            ["known", "Known to us", "Write below what you know and what it means."],
            ["not_known", "Not known to us", "You looked, and there is nothing."],
            ["nothing_relevant", "Known, nothing relevant", "You looked, and what you hold does not bear on this."],
        ],
    },
    {
        name: "title",
        kind: "text",
        label: "Title",
        hint: "In one line. Leave this and the next field empty if what you know is in the case already.",
        shown: known,
        need: (v) => (v.body.trim() ? "Give it a title of one line" : null),
    },
    {
        name: "body",
        kind: "area",
        rows: 8,
        label: "What it means",
        hint: analysisHint,
        shown: known,
        need: (v) => (v.title.trim() ? "Write what it means" : null),
    },
    { ...sensitivityField, shown: told },
    { ...consentField, shown: (v) => told(v) && v.sensitivity !== "restricted" },
    {
        name: "kind",
        kind: "select",
        label: "What kind of information is it?",
        items: recordKindItems,
        empty: null,
        value: "analysis",
        shown: told,
    },
    {
        name: "person_id",
        kind: "select",
        label: "Whom is it about?",
        items: personItems(data),
        empty: "The family, or the whole case",
        shown: told,
    },
    {
        name: "occurred_at",
        kind: "when",
        label: "When did it happen?",
        hint: "Leave this empty if it is how things are now.",
        past: true,
        shown: told,
    },
];

export function Answer({ ctx, rid }) {
    const body = (v, { result, ...record }) => ({ id: rid, result, record: told(v) ? record : null });
    const next = (v) => {
        if (!told(v))
            return "Whoever asked sees your answer after their next contact with the MASH. If nothing can be sent now, it waits on this device and goes by itself.";
        if (v.sensitivity === "sensitive")
            return `Whoever asked sees that your agency knows them. What you wrote goes to the MASH alone; you are asked before anybody else is told.`;
        if (v.sensitivity === "restricted") return "Whoever asked sees that your agency knows them. What you wrote stays with your agency.";
        return "Whoever asked, and everybody else who takes part, sees your answer and what you wrote after their next contact with the MASH.";
    };
    return html`<${Part} title="Answer a question" of=${ctx.data.case}>
        <${Question} ctx=${ctx} rid=${rid}>
            ${(r) => html`<${ActForm}
                    name=${`answer ${rid}`} act="request-answer" fields=${answerFields(ctx.data)} body=${body} next=${next} cancel=${back(ctx)}
                    send="Send the answer" done=${(a) => ctx.finish(back(ctx), `${agencyOf(r)} is answered`, a)}
                />
                <p class="govuk-body"><${Link} to=${`${ctx.at}/requests/${rid}/decline`}>Your agency cannot answer? Decline, and say why<//></p>`}
        <//>
    <//>`;
}

export function Decline({ ctx, rid }) {
    const fields = [
        {
            name: "reason",
            kind: "area",
            rows: 3,
            label: "Why can your agency not answer?",
            hint: "They read this, and must know whether to ask elsewhere.",
            need: "Say why your agency cannot answer",
        },
    ];
    return html`<${Part} title="Decline a question" of=${ctx.data.case}>
        <${Question} ctx=${ctx} rid=${rid}>
            ${(r) => html`<${ActForm}
                name=${`decline ${rid}`} act="request-decline" fixed=${{ id: rid }} fields=${fields} grave send="Decline, and tell them why"
                cancel=${back(ctx)} next="They see that you declined, and why. You can still answer later."
                done=${(a) => ctx.finish(back(ctx), `${agencyOf(r)} is told that you decline, and why`, a)}
            />`}
        <//>
    <//>`;
}

export function Cancel({ ctx, rid }) {
    return html`<${Part} title="Take a question back" of=${ctx.data.case}>
        <${Question} ctx=${ctx} rid=${rid}>
            ${(r) => html`<${ActForm}
                name=${`cancel ${rid}`} act="request-cancel" fixed=${{ id: rid }} fields=${[]} grave send="Take the question back"
                cancel=${back(ctx)} next=${`${agencyOf(r, "to_agency")} no longer has to answer. They still take part in the case as before.`}
                done=${(a) => ctx.finish(back(ctx), "The question is taken back", a)}
            />`}
        <//>
    <//>`;
}
