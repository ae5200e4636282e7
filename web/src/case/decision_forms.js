// Rating, disputing and deciding a dispute, writing down a meeting and the decision.
import { label } from "../format.js";
import { html } from "../html.js";
import { Prose } from "../parts/index.js";
import { Link } from "../router.js";
import { ActForm } from "./act_form.js";
import { Attendance, attendanceFault, attendanceOf } from "./attendance.js";
import { Line, Part, agencyOf } from "./bits.js";
import { aboutWords } from "./decision.js";
import { meetingItems, modeItems } from "./words.js";

const rags = [
    ["red", "Red", "A child or adult may be at risk of significant harm now."],
    ["amber", "Amber", "Serious concern. It cannot wait long."],
    ["green", "Green", "Concern that universal or early help can meet."],
    ["blue", "Blue", "Information only."],
];
const codes = (ctx, ...lists) => {
    const seen = new Set();
    return lists
        .flatMap((l) => ctx.reference?.codes?.[l] ?? [])
        .filter((c) => !seen.has(c.code) && seen.add(c.code))
        .map((c) => [c.code, c.label || c.code]);
};

function Rate({ ctx }) {
    const fields = [
        { name: "rag", kind: "radios", label: "How do you rate it?", items: rags, need: "Choose a rating" },
        {
            name: "stage",
            kind: "radios",
            label: "At which stage?",
            value: stageNow(ctx),
            need: "Choose the stage",
            items: [
                ["initial", "On what was referred"],
                ["final", "After what partners told"],
            ],
        },
        { name: "reason", kind: "area", rows: 4, label: "Why?", need: "Say why you rate it so" },
    ];
    const decides = ctx.data.may.decide;
    return html`<${Part} title="Rate this case" of=${ctx.data.case}>
        <${ActForm}
            name=${`rate ${ctx.id}`} act="rate" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} cancel=${`${ctx.at}/decision`} send="Save this rating"
            next=${
                decides
                    ? "It becomes the rating of the case, and what is due is counted anew from it."
                    : "It stands beside the rating of the case. Where it is graver, everybody sees the graver one and “disputed”, until social care, or after that the operations manager, decides."
            }
            done=${(a) => ctx.finish("/decision", a.disputed ? "Your rating is saved, and the rating of the case is disputed" : "Your rating is saved", a)}
        />
    <//>`;
}
const stageNow = (ctx) => (ctx.data.requests.some((r) => r.state === "answered") ? "final" : "initial");

function Dispute({ ctx }) {
    const { query } = ctx;
    const manager = query.get("to") === "manager";
    const fields = [
        {
            name: "about",
            kind: "radios",
            label: "What do you dispute?",
            items: [
                ["rating", "The rating"],
                ["decision", "The decision"],
            ],
            value: query.get("about") ?? "",
            need: "Choose what you dispute",
        },
        {
            name: "to",
            kind: "radios",
            label: "Who shall decide?",
            value: manager ? "manager" : "social_care",
            need: "Choose who shall decide",
            items: [
                ["social_care", "Social care", "First."],
                ["manager", "The operations manager", "After social care has decided, and you still do not agree."],
            ],
        },
        {
            name: "reason",
            kind: "area",
            rows: 5,
            label: "Why do you not agree?",
            hint: "Say what you know that others may not, and what you think should happen.",
            need: "Say why you do not agree",
        },
    ];
    return html`<${Part} title="Dispute the rating or the decision" of=${ctx.data.case}>
        <p class="govuk-body">
            To dispute the rating, <${Link} to=${`${ctx.at}/decision/rate`}>rate the case yourself<//> first: your own rating is what you want it to be.
        </p>
        <${ActForm}
            name=${`dispute ${ctx.id}`} act="dispute" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} cancel=${`${ctx.at}/decision`} send="Send the dispute"
            next="Everybody who works on the case sees that it is disputed. The graver rating is shown until it is decided." done=${(a) => ctx.finish("/decision", "The dispute is sent", a)}
        />
    <//>`;
}

function DecideDispute({ ctx, cid }) {
    // A rating may wait by itself: who is only asked raises no dispute.
    const lone = ctx.data.ratings.find((r) => r.id === cid && r.waits);
    const c = lone ? { ...lone, about: "rating", state: "open" } : ctx.data.challenges.find((one) => one.id === cid);
    const back = html`<${Link} to=${`${ctx.at}/decision`}>Back to meeting and decision<//>`;
    if (!c || c.state !== "open") return html`<p class="govuk-body">This dispute does not wait for a decision any more. ${back}</p>`;
    const { thing } = aboutWords(c.about);
    const own = ctx.data.ratings.filter((r) => r.agency === c.agency && r.stage !== null).at(-1);
    const fields = [
        {
            name: "state",
            kind: "radios",
            label: "What do you decide?",
            need: "Choose what you decide",
            items: [
                [
                    "upheld",
                    "They are right",
                    thing === "the rating" && own
                        ? `The case becomes ${own.rag}, as they rate it.`
                        : "The decision has to be looked at again.",
                ],
                ["dismissed", `${thing === "the rating" ? "The rating" : "The decision"} stays as it is`],
            ],
        },
        { name: "reason", kind: "area", rows: 4, label: "Why?", hint: "Who opened the dispute reads this.", need: "Say why you decide so" },
    ];
    return html`<${Part} title="Decide a dispute" of=${ctx.data.case}>
        <blockquote class="case-quote"><${Line}>${html`<strong>${`${agencyOf(c)} disputes ${thing}`}</strong>`}<//><${Prose} text=${c.reason} /></blockquote>
        <${ActForm}
            name=${`dispute-decide ${cid}`} act="dispute-decide" fixed=${{ id: cid }} fields=${fields} cancel=${`${ctx.at}/decision`} send="Decide the dispute"
            next="Everybody who works on the case sees what you decided, and why." done=${(a) => ctx.finish("/decision", "The dispute is decided", a)}
        />
    <//>`;
}

function MeetingForm({ ctx }) {
    const fields = [
        { name: "kind", kind: "select", label: "What kind of meeting?", items: meetingItems, need: "Choose what kind of meeting it was" },
        { name: "held_at", kind: "when", label: "When was it?", need: "Say when it was", past: true },
        { name: "mode", kind: "radios", label: "How did people meet?", items: modeItems, need: "Choose how people met" },
        { name: "chair", kind: "text", label: "Who was in the chair?", need: "Write who was in the chair" },
        {
            name: "outcome",
            kind: "area",
            rows: 8,
            label: "What was said and agreed",
            hint: "A summary of what each agency brought, what it means, and what follows.",
            need: "Write what was said and agreed",
        },
    ];
    return html`<${Part} title="Write down a meeting" of=${ctx.data.case}>
        <${Attendance} ctx=${ctx} name=${`meeting ${ctx.id}`}>
            ${(rows, picker, forget) => html`<${ActForm}
                name=${`meeting-add ${ctx.id}`} act="meeting-add" fields=${fields} cancel=${`${ctx.at}/decision`} send="Save the meeting"
                body=${(v, plain) => ({ case_id: ctx.data.case.id, ...plain, attendance: attendanceOf(rows) })} also=${() => attendanceFault(rows)}
                next="Everybody who works on the case reads it, also those who could not be there. Write down the decision as well, if one was made."
                done=${(a) => {
                    forget();
                    ctx.finish("/decision", "The meeting is written down", a);
                }}
            >
                ${picker}
            <//>`}
        <//>
    <//>`;
}

function Decide({ ctx }) {
    const { data, reference } = ctx;
    const outcomes = codes(ctx, "referral_outcome", "contact_outcome");
    const closures = codes(ctx, "closure_reason");
    const b = data.brief ?? {};
    const fields = [
        {
            name: "decision",
            kind: "area",
            rows: 5,
            label: "What is decided, and why?",
            need: (v) => (v.close && b.decision ? null : "Write what is decided, and why"),
        },
        outcomes.length
            ? {
                  name: "outcome",
                  kind: "select",
                  label: "Outcome",
                  items: outcomes,
                  need: (v) => (v.close && b.outcome ? null : "Choose the outcome"),
              }
            : { name: "outcome", kind: "text", label: "Outcome", need: "Write the outcome" },
        { name: "nfa", kind: "yes", label: "No further action" },
        {
            name: "rag",
            kind: "select",
            label: "Rating after what partners told",
            items: rags.map(([v, t]) => [v, t]),
            empty: "It stays as it is",
        },
        {
            name: "rag_reason",
            kind: "area",
            rows: 3,
            label: "Why this rating?",
            shown: (v) => v.rag !== "",
            need: "Say why the case is rated so",
        },
        { name: "close", kind: "yes", label: "Close the case", hint: "It leaves the board. Everybody keeps what they may see of it." },
        closures.length
            ? {
                  name: "closure_reason",
                  kind: "select",
                  label: "Why is it closed?",
                  items: closures,
                  shown: (v) => v.close,
                  need: "Choose why it is closed",
              }
            : { name: "closure_reason", kind: "text", label: "Why is it closed?", shown: (v) => v.close, need: "Write why it is closed" },
    ];
    const start = { decision: b.decision ?? "", outcome: b.outcome ?? "", nfa: Boolean(b.nfa) };
    return html`<${Part} title="Write down the decision" of=${data.case}>
        ${b.outcome && html`<p class="govuk-body">${`Written down so far: ${label(reference, "referral_outcome", b.outcome)}. What you save here takes its place.`}</p>`}
        <${ActForm}
            name=${`decide ${ctx.id}`} act="decide" fixed=${{ case_id: data.case.id }} fields=${fields} start=${start} cancel=${`${ctx.at}/decision`}
            send=${(v) => (v.close ? "Save the decision and close the case" : "Save the decision")}
            next="The case moves to “decided”. Then tell the outcome to who referred it and to every partner: the next page leads there."
            done=${(a) => ctx.finish("/outcome", "The decision is saved. Now tell its outcome", a)}
        />
    <//>`;
}

export function DecisionForms(ctx, [a, b]) {
    if (a === "rate") return html`<${Rate} ctx=${ctx} />`;
    if (a === "meeting") return html`<${MeetingForm} ctx=${ctx} />`;
    if (a === "decide") return html`<${Decide} ctx=${ctx} />`;
    if (a === "dispute") return b ? html`<${DecideDispute} ctx=${ctx} cid=${b} />` : html`<${Dispute} ctx=${ctx} />`;
    return null;
}
