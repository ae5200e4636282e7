// Telling the outcome to who referred and to every partner, and saying that one has it.
import { useState } from "preact/hooks";
import { act } from "../api.js";
import { html } from "../html.js";
import { Button, ButtonLink, ErrorSummary, Prose, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { ActForm } from "./act_form.js";
import { Line, List, Part, When, agencyOf } from "./bits.js";
import { Decided, outcomeLabel } from "./overview.js";
import { channelItems, channelWords } from "./words.js";

function Acknowledge({ f, ctx }) {
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState({ error: null, turn: 0 });
    async function press() {
        if (busy) return;
        setBusy(true);
        try {
            ctx.finish("/outcome", `${agencyOf(f)} is told that you have it`, await act("feedback-ack", { id: f.id }));
        } catch (error) {
            setProblem((was) => ({ error, turn: was.turn + 1 }));
        } finally {
            setBusy(false);
        }
    }
    return html`<${ErrorSummary} ...${problem} /><${Button} type="button" busy=${busy && "One moment …"} onClick=${press}>We have read this<//>`;
}

export function Told({ f, ctx }) {
    const { now, session, data } = ctx;
    const ours = f.to_agency === session.agency;
    return html`<h4 class="govuk-heading-s">${ours ? `${agencyOf(f)} tells your agency` : `To ${agencyOf(f, "to_agency")}`}${f.to_name ? `, for ${f.to_name}` : ""}</h4>
        <${Line}>
            ${f.ack_at ? html`<${Tag} tone="green">They have it<//>` : html`<${Tag} tone="yellow">Not confirmed yet<//>`}
            ${channelWords(f.channel ?? "spoke")} ${html`Sent <${When} mid at=${f.sent_at} now=${now} />`}
            ${f.ack_at && html`Confirmed <${When} mid at=${f.ack_at} now=${now} />${f.ack_by?.name ? ` by ${f.ack_by.name}` : ""}`} ${f.unsent && html`<${Unsent} of=${f} />`}
        <//>
        <${Prose} text=${f.body} />
        ${ours && !f.ack_at && data.may["feedback-ack"] !== false && html`<${Acknowledge} f=${f} ctx=${ctx} />`}`;
}

// Who should hear it: all who take part or referred, and have not been told since the decision.
export function untold(ctx) {
    const { data, session } = ctx;
    const since = Date.parse(data.brief?.decided_at ?? 0) || 0;
    const told = new Set(data.feedback.filter((f) => Date.parse(f.sent_at) >= since).map((f) => f.to_agency));
    const who = new Map();
    const add = (code, name) => code && code !== session.agency && !told.has(code) && who.set(code, name ?? code);
    for (const p of data.participants) if (p.access !== "none") add(p.member, p.member_name);
    for (const r of data.referrals) add(r.agency, r.agency_name);
    return [...who];
}

export function Outcome({ ctx }) {
    const { data, at } = ctx;
    const left = untold(ctx);
    const decided = data.brief?.decision || data.brief?.outcome;
    return html`<${Part} title="Outcome and feedback" of=${data.case}>
        <p class="govuk-body">Whoever referred the case and every partner hears what came of it, those who were not in the room too.</p>
        <${Decided} ctx=${ctx} />
        ${decided && data.may["feedback-send"] && left.length > 0 && html`<p class="govuk-inset-text">${`Not told yet: ${left.map(([, name]) => name).join(", ")}.`}</p>`}
        ${
            data.may["feedback-send"]
                ? html`<${ButtonLink} to=${`${at}/outcome/tell`}>Tell the outcome<//>`
                : html`<p class="govuk-body">Whoever leads the case, or a manager of the MASH, tells the outcome. If you should have heard and have not, ring the MASH.</p>`
        }
        <h3 class="govuk-heading-m">What was told</h3>
        <${List} items=${data.feedback} none="Nobody has been told yet, as far as this device may know." each=${(f) => html`<${Told} f=${f} ctx=${ctx} />`} />
    <//>`;
}

export function TellOutcome({ ctx }) {
    const { data, reference, session } = ctx;
    const left = untold(ctx);
    const all = (reference?.agencies ?? []).filter((a) => a.code !== session.agency);
    const b = data.brief ?? {};
    const names = (codes) => codes.map((c) => all.find((a) => a.code === c)?.name ?? c).join(", ");
    const fields = [
        {
            name: "agencies",
            kind: "checks",
            label: "Who is told?",
            value: left.map(([code]) => code),
            need: "Choose who is told",
            items: all.map((a) => [
                a.code,
                a.name || a.code,
                data.referrals.some((r) => r.agency === a.code) ? "Referred this case" : undefined,
            ]),
        },
        {
            name: "body",
            kind: "area",
            rows: 6,
            label: "What came of it",
            value: [outcomeLabel(reference, b.outcome), b.decision].filter(Boolean).join(". "),
            hint: "Each of them reads all of this: leave out what they may not know.",
            need: "Write what came of it",
        },
        { name: "to_name", kind: "text", label: "For whom there?", hint: "Such as the person who referred.", optional: true },
        { name: "channel", kind: "select", label: "How?", items: channelItems, empty: null, value: "spoke" },
    ];
    return html`<${Part} title="Tell the outcome" of=${data.case}>
        ${!b.decision && !b.outcome && html`<p class="govuk-inset-text">Nothing is decided yet. <${Link} to=${`${ctx.at}/decision/decide`}>Write down the decision<//> first.</p>`}
        <${ActForm}
            name=${`feedback ${ctx.id}`} act="feedback-send" fixed=${{ case_id: data.case.id }} fields=${fields} cancel=${`${ctx.at}/outcome`}
            send=${(v) => (v.agencies.length === 1 ? `Tell ${names(v.agencies)}` : `Tell ${v.agencies.length || "these"} agencies`)}
            next="They see it at their next contact, with or without the case. You see here who has confirmed that they have it." done=${(a, v) => ctx.finish("/outcome", `${names(v.agencies)}: told`, a)}
        />
    <//>`;
}
