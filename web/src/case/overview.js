// The first page of a case: what waits for this agency, why the case is here, what was decided.
import { count, label, list } from "../format.js";
import { html } from "../html.js";
import { Facts, Prose, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { Line, List, Part, When, agencyOf } from "./bits.js";
import { planWords, roleWords, statusWords } from "./words.js";

const toUs = (rows, session, test) => rows.filter((r) => r.to_agency === session.agency && test(r));
const openRequests = (data, session) => toUs(data.requests, session, (r) => r.state === "open");
const openAsks = (data, session) => toUs(data.releases, session, (r) => r.state === "asked");
const unread = (data, session) => toUs(data.feedback, session, (f) => !f.ack_at);
const openDisputes = (data) => (data.may["dispute-decide"] ? data.challenges.filter((c) => c.state === "open") : []);

// How many things wait for this agency in each part: the numbers on the tabs.
export function waiting(data, session) {
    return {
        requests: openRequests(data, session).length,
        permission: openAsks(data, session).length,
        outcome: unread(data, session).length,
        decision: openDisputes(data).length,
    };
}

function Todo({ ctx }) {
    const { data, session, at, now } = ctx;
    const rows = [
        ...openRequests(data, session).map((r) => ({
            id: r.id,
            to: `${at}/requests/${r.id}/answer`,
            text: `Answer the question from ${agencyOf(r)}`,
            due: r.due_at,
        })),
        ...openAsks(data, session).map((r) => ({
            id: r.id,
            to: `${at}/permission/${r.id}/answer`,
            text: `Decide whether ${agencyOf(r)} may be told what you hold`,
        })),
        ...unread(data, session).map((f) => ({ id: f.id, to: `${at}/outcome`, text: `Read the outcome, and say that you have it` })),
        ...openDisputes(data).map((c) => ({
            id: c.id,
            to: `${at}/decision/dispute/${c.id}`,
            text: `Decide what ${agencyOf(c)} disputes`,
        })),
        ...(data.held.length ? [{ id: "held", to: "/held", text: `See ${count(data.held.length, "change")} not accepted yet` }] : []),
        ...(data.conflicts.length
            ? [{ id: "two", to: "/conflicts", text: `Look at ${count(data.conflicts.length, "fact")} with two versions` }]
            : []),
    ];
    return html`<h3 class="govuk-heading-s">What waits for your agency</h3>
        <${List} items=${rows} none="Nothing in this case waits for you now." className="case-todo" each=${(r) => html`<${Line}>
            <${Link} to=${r.to}>${r.text}<//>
            ${r.due && Date.parse(r.due) < now && html`<${Tag} tone="red">Late<//>`}
            ${r.due && html`<${When} at=${r.due} now=${now} left />`}
        <//>`} />`;
}

// What an owner chose to say that it holds, and whom to ask: in its own words, where it wrote any.
export function Withheld({ data, at }) {
    if (!data.withheld.length) return null;
    const said = (agency) => data.pointers.filter((p) => p.agency === agency && (p.note || p.contact));
    return html`<div class="govuk-inset-text case-withheld">
        ${data.withheld.map((w) => {
            const name = agencyOf(w);
            const held = `${count(w.count, "item")} that it has not shared`;
            return html`<p class="govuk-body" key=${w.agency}>
                ${`${name} holds ${held}. `}
                ${said(w.agency).map((p) => html`<span key=${p.id}>${p.note ? `“${p.note}”. ` : ""}${p.contact ? `Whom to ask: ${p.contact}. ` : ""}</span>`)}
                ${
                    data.may["release-ask"]
                        ? html`<${Link} to=${`${at}/permission/ask?agency=${encodeURIComponent(w.agency)}`}>${`Ask ${name} for permission to share`}<//>`
                        : "Your agency’s part in this case does not let it ask here. Ring them, or the MASH."
                }
            </p>`;
        })}
    </div>`;
}

function Answers({ data, now }) {
    const open = (r) => r.state === "open";
    const late = (r) => open(r) && r.due_at && Date.parse(r.due_at) < now;
    const names = (test) => [...new Set(data.requests.filter(test).map((r) => agencyOf(r, "to_agency")))];
    const says = [
        ["Late", names(late)],
        ["Asked, still in time", names((r) => open(r) && !late(r))],
        ["Answered", names((r) => r.state === "answered")],
        ["Declined", names((r) => r.state === "declined")],
    ].filter(([, who]) => who.length);
    if (!says.length) return html`<p class="govuk-body">Nobody has been asked, as far as this device may know.</p>`;
    return html`<ul class="govuk-list">${says.map(([word, who]) => html`<li key=${word}><strong>${word}:</strong> ${list(who)}</li>`)}</ul>`;
}

export function outcomeLabel(reference, code) {
    if (!code) return "";
    const in_ = (name) => reference?.codes?.[name]?.find((c) => c.code === code)?.label;
    return in_("referral_outcome") || in_("contact_outcome") || label(reference, "outcome", code);
}

function Why({ ctx }) {
    const { data, reference, now } = ctx;
    const b = data.brief;
    if (b === null)
        return html`<p class="govuk-body">
            ${
                data.access === "check"
                    ? "Your agency is asked what it knows. You see whom it is about, the warnings and the question. What others told stays with those who work on the case."
                    : "No summary has been written yet."
            }
        </p>`;
    return html`<${Prose} text=${b.summary || "No summary has been written yet."} />
        <${Facts}
            rows=${[
                { label: "Primary need", value: label(reference, "primary_need", b.primary_need) || "Not said" },
                { label: "Presenting issue", value: b.presenting_issue || "Not said" },
                { label: "Why rated so", value: b.rag_reason || "Not said" },
                { label: "Basis for sharing", value: b.basis || "Not said" },
                ...data.referrals.map((r, i) => ({
                    label: data.referrals.length > 1 ? `Referral ${i + 1}` : "Referred by",
                    value: html`${[label(reference, "referral_source", r.source), r.referrer].filter(Boolean).join(": ") || "Not said"}${" "}
                        <span class="case-quiet"><${When} at=${r.received_at} now=${now} /></span>`,
                })),
            ]}
        />`;
}

export function Decided({ ctx }) {
    const { data, reference, now } = ctx;
    const b = data.brief ?? {};
    if (!b.decision && !b.outcome)
        return html`<p class="govuk-body">${`Nothing is decided yet. The case stands at: ${statusWords(data.case.status)}.`}</p>`;
    return html`<${Facts}
        rows=${[
            { label: "Decision", value: b.decision && html`<${Prose} text=${b.decision} />` },
            { label: "Outcome", value: `${outcomeLabel(reference, b.outcome) || "Not said"}${b.nfa ? ". No further action" : ""}` },
            { label: "Decided", value: b.decided_at && html`<${When} at=${b.decided_at} now=${now} />` },
            { label: "Closed because", value: label(reference, "closure_reason", b.closure_reason) },
        ]}
    />`;
}

function Side({ ctx }) {
    const { data, at, now } = ctx;
    const name = new Map(data.people.map((p) => [p.id, p.name]));
    const plans = data.plans.filter((p) => !p.ended_at);
    return html`<h3 class="govuk-heading-s">Who has answered</h3>
        <${Answers} data=${data} now=${now} />
        ${data.may["request-send"] && html`<p class="govuk-body"><${Link} to=${`${at}/requests/ask`}>Ask agencies what they know<//></p>`}
        <h3 class="govuk-heading-s">Existing plans</h3>
        <${List} items=${plans} none="None is known here." each=${(p) => html`<${Line}>
            ${planWords(p.kind)} ${name.get(p.person_id)}
            ${p.started_at && html`since <${When} mid at=${p.started_at} day />`}
            ${p.unsent && html`<${Unsent} of=${p} />`}
        <//>`} />
        <h3 class="govuk-heading-s">Who works on it</h3>
        <${List} items=${data.allocations.filter((a) => !a.until)} none="Nobody is named yet." each=${(a) => html`<${Line}>
            ${a.practitioner?.name ?? "Somebody"} ${a.role} ${agencyOf(a)}
        <//>`} />
        <h3 class="govuk-heading-s">Family and household</h3>
        <${List} items=${data.people.slice(0, 12)} none="Nobody is named." each=${(p) => html`<${Line}>${p.name || "Name not known"} ${roleWords(p.role)}<//>`} />
        <p class="govuk-body"><${Link} to=${`${at}/people`}>${data.people.length > 12 ? `All ${data.people.length} people and the family tree` : "People and family tree"}<//></p>`;
}

export function Overview({ ctx }) {
    const { data, at } = ctx;
    const may = data.may;
    return html`<${Part} title="Overview" of=${data.case}>
        <div class="govuk-grid-row">
            <div class="govuk-grid-column-two-thirds">
                <${Todo} ctx=${ctx} />
                <${Withheld} data=${data} at=${at} />
                <h3 class="govuk-heading-s">Why this case is here</h3>
                <${Why} ctx=${ctx} />
                <h3 class="govuk-heading-s">Decision and outcome</h3>
                <${Decided} ctx=${ctx} />
                ${(may.decide || may["meeting-add"]) && html`<p class="govuk-body"><${Link} to=${`${at}/decision`}>Write down a meeting or the decision<//></p>`}
            </div>
            <div class="govuk-grid-column-one-third"><${Side} ctx=${ctx} /></div>
        </div>
    <//>`;
}
