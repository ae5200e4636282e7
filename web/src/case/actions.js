// What is to be done and by when, which plans there are, who works on the case, and where it stands.
import { agencyName, personName } from "../format.js";
import { html } from "../html.js";
import { ButtonLink, Prose, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { ActForm } from "./act_form.js";
import { Line, List, Part, When, agencyOf, siteName } from "./bits.js";
import { personItems } from "./record_forms.js";
import { actionWords, planItems, planWords, statusItems, statusWords } from "./words.js";

function Action({ a, ctx }) {
    const { now, data, at } = ctx;
    const open = a.state !== "done" && a.state !== "cancelled";
    const late = open && a.due_at && Date.parse(a.due_at) < now;
    return html`<h4 class="govuk-heading-s">${a.title}</h4>
        <${Line}>
            <${Tag} tone=${late ? "red" : open ? "blue" : "grey"}>${late ? "Late" : actionWords(a.state ?? "open")}<//>
            ${a.due_at && html`Due <${When} mid at=${a.due_at} now=${now} left=${open} />`} ${agencyOf(a)}
            ${a.sensitive && html`<${Tag} tone="orange">Only the MASH and ${agencyOf(a)}<//>`} ${a.unsent && html`<${Unsent} of=${a} />`}
        <//>
        ${a.note && html`<${Prose} text=${a.note} />`}
        ${data.may["action-set"] && html`<p class="govuk-body"><${Link} to=${`${at}/actions/change/${a.id}`}>${open ? "Mark as done, or change" : "Change"}<span class="govuk-visually-hidden">${`: ${a.title}`}</span><//></p>`}`;
}

function Plan({ p, ctx }) {
    const { now, data, at } = ctx;
    const who = data.people.find((one) => one.id === p.person_id);
    return html`<${Line}>
        <strong>${planWords(p.kind)}</strong> ${who && personName(who)} ${p.started_at && html`since <${When} mid at=${p.started_at} day />`}
        ${!p.ended_at && p.target_at && html`to be reviewed <${When} mid at=${p.target_at} now=${now} left />`}
        ${p.ended_at && html`<${Tag}>Ended<//> <${When} at=${p.ended_at} day />`} ${p.result} ${agencyOf(p)} ${p.unsent && html`<${Unsent} of=${p} />`}
        ${!p.ended_at && data.may["plan-end"] && html`<${Link} to=${`${at}/actions/end/${p.id}`}>It has ended<span class="govuk-visually-hidden">${`: ${planWords(p.kind)}`}</span><//>`}
    <//>`;
}

export function Actions({ ctx }) {
    const { data, at, now } = ctx;
    const may = data.may;
    const order = (a) => (a.state === "done" || a.state === "cancelled" ? 1 : 0);
    const actions = [...data.actions].sort((a, b) => order(a) - order(b) || String(a.due_at ?? "9").localeCompare(String(b.due_at ?? "9")));
    return html`<${Part} title="Actions and plans" of=${data.case}>
        <h3 class="govuk-heading-m">What is to be done</h3>
        ${may["action-add"] && html`<${ButtonLink} to=${`${at}/actions/add`}>Add an action<//>`}
        <${List} items=${actions} none="No action is written down." each=${(a) => html`<${Action} a=${a} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">Plans</h3>
        ${may["plan-add"] && html`<${ButtonLink} kind="secondary" to=${`${at}/actions/plan`}>Add a plan<//>`}
        <${List} items=${data.plans} none="No plan is known here." each=${(p) => html`<${Plan} p=${p} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">Who works on it</h3>
        ${may.allocate && html`<${ButtonLink} kind="secondary" to=${`${at}/actions/allocate`}>Name who works on it<//>`}
        <${List} items=${data.allocations} none="Nobody is named yet." each=${(a) => html`<${Line}>
            <strong>${a.practitioner?.name ?? "Somebody not known here"}</strong> ${a.role} ${siteName(ctx.reference, a.practitioner?.site)}
            ${a.since && html`since <${When} mid at=${a.since} now=${now} />`} ${a.until && html`<${Tag}>Until<//> <${When} at=${a.until} now=${now} />`} ${a.unsent && html`<${Unsent} of=${a} />`}
        <//>`} />
        <h3 class="govuk-heading-m">Where the case stands</h3>
        <p class="govuk-body">${statusWords(data.case.status)}. ${may["case-set"] && html`<${Link} to=${`${at}/actions/status`}>Change where it stands, or its summary<//>`}</p>
    <//>`;
}

function AddAction({ ctx }) {
    const fields = [
        {
            name: "title",
            kind: "text",
            label: "What is to be done?",
            hint: "Begin with who does it: “Health visitor sees the baby at home”.",
            need: "Write what is to be done",
        },
        { name: "due_at", kind: "when", label: "By when?", need: "Say by when", future: true },
        { name: "sensitive", kind: "yes", label: "Only the MASH and your agency may see it" },
        { name: "note", kind: "area", rows: 3, label: "Note", optional: true },
    ];
    return html`<${Part} title="Add an action" of=${ctx.data.case}>
        <${ActForm}
            name=${`action-add ${ctx.id}`} act="action-add" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} send="Add this action" cancel=${`${ctx.at}/actions`}
            next=${(v) => (v.sensitive ? "Only the MASH and your agency see it." : "Everybody who works on the case sees it.")} done=${(a) => ctx.finish("/actions", "The action is added", a)}
        />
    <//>`;
}

function ChangeAction({ ctx, id }) {
    const a = ctx.data.actions.find((one) => one.id === id);
    if (!a) return html`<p class="govuk-body">This action is not here any more.</p>`;
    const fields = [
        {
            name: "state",
            kind: "radios",
            label: "How does it stand?",
            value: a.state ?? "open",
            items: ["open", "done", "cancelled"].map((s) => [s, actionWords(s)]),
            need: "Choose how it stands",
        },
        { name: "note", kind: "area", rows: 3, label: "Note", value: a.note ?? "", optional: true },
    ];
    return html`<${Part} title=${`Change “${a.title}”`} plain="Change an action" of=${ctx.data.case}>
        <${ActForm}
            name=${`action-set ${id}`} act="action-set" fixed=${{ id }} fields=${fields} changes send="Save how it stands" cancel=${`${ctx.at}/actions`}
            next="Everybody who sees the action sees the change." done=${(answer) => ctx.finish("/actions", "The action is changed", answer)}
        />
    <//>`;
}

function AddPlan({ ctx }) {
    const fields = [
        { name: "kind", kind: "select", label: "What kind of plan?", items: planItems, need: "Choose what kind of plan it is" },
        { name: "person_id", kind: "select", label: "For whom?", items: personItems(ctx.data), empty: "The whole family" },
        { name: "started_at", kind: "when", label: "When did it begin?", hint: "Leave this empty if it begins now." },
        { name: "target_at", kind: "when", label: "When is it reviewed?", hint: "Leave this empty if that is not known." },
    ];
    return html`<${Part} title="Add a plan" of=${ctx.data.case}>
        <${ActForm}
            name=${`plan-add ${ctx.id}`} act="plan-add" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} send="Add this plan" cancel=${`${ctx.at}/actions`}
            next="It stands among the existing plans of the case." done=${(a) => ctx.finish("/actions", "The plan is added", a)}
        />
    <//>`;
}

function EndPlan({ ctx, id }) {
    const p = ctx.data.plans.find((one) => one.id === id);
    if (!p) return html`<p class="govuk-body">This plan is not here any more.</p>`;
    const fields = [
        { name: "ended_at", kind: "when", label: "When did it end?", hint: "Leave this empty if it ends now.", past: true },
        { name: "result", kind: "text", label: "With what result?", optional: true },
    ];
    return html`<${Part} title=${`${planWords(p.kind)}: it has ended`} of=${ctx.data.case}>
        <${ActForm}
            name=${`plan-end ${id}`} act="plan-end" fixed=${{ id }} fields=${fields} send="Write down that it has ended" cancel=${`${ctx.at}/actions`}
            next="It stays in the chronology." done=${(a) => ctx.finish("/actions", "The plan has ended", a)}
        />
    <//>`;
}

function Allocate({ ctx }) {
    const { reference } = ctx;
    const people = [...(reference?.people ?? [])].sort((a, b) => String(a.name).localeCompare(String(b.name), "en-GB"));
    const fields = [
        {
            name: "practitioner",
            kind: "select",
            label: "Who?",
            items: people.map((p) => [p.id, `${p.name}, ${agencyName(reference, p.agency)}`]),
            need: "Choose who works on it",
        },
        {
            name: "role",
            kind: "text",
            label: "In which role?",
            hint: "Such as “key worker” or “lead professional”. Whoever had the same role before has it no longer.",
            need: "Write in which role",
        },
    ];
    return html`<${Part} title="Name who works on it" of=${ctx.data.case}>
        <${ActForm}
            name=${`allocate ${ctx.id}`} act="allocate" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} send="Name this person" cancel=${`${ctx.at}/actions`}
            next="The case is among “mine” on their board." done=${(a) => ctx.finish("/actions", "The person is named", a)}
        />
    <//>`;
}

function Status({ ctx }) {
    const c = ctx.data.case;
    const b = ctx.data.brief ?? {};
    const needs = (ctx.reference?.codes?.primary_need ?? []).map((n) => [n.code, n.label || n.code]);
    const fields = [
        { name: "status", kind: "select", label: "Where does the case stand?", items: statusItems, empty: null, value: c.status },
        {
            name: "lead_agency",
            kind: "select",
            label: "Who leads it?",
            items: (ctx.reference?.agencies ?? []).map((a) => [a.code, a.name || a.code]),
            value: c.lead_agency ?? "",
            empty: "Nobody",
        },
        ...(needs.length
            ? [{ name: "primary_need", kind: "select", label: "Primary need", items: needs, value: b.primary_need ?? "", empty: "Not said" }]
            : []),
        { name: "presenting_issue", kind: "text", label: "Presenting issue", value: b.presenting_issue ?? "", optional: true },
        { name: "summary", kind: "area", rows: 6, label: "Why this case is here", value: b.summary ?? "", optional: true },
        { name: "basis", kind: "text", label: "Basis for sharing", value: b.basis ?? "", optional: true },
        {
            name: "restricted",
            kind: "yes",
            label: "Restrict this case",
            value: Boolean(c.restricted),
            hint: "Then only the places that are named in it see it, and no others, the MASH room included.",
        },
    ];
    return html`<${Part} title="Where the case stands" of=${c}>
        <${ActForm}
            name=${`case-set ${ctx.id}`} act="case-set" fixed=${{ case_id: c.id }} fields=${fields} changes send="Save what you changed" cancel=${`${ctx.at}/actions`}
            next="Everybody who takes part sees it. A change of lead shows nobody more than before." done=${(a) => ctx.finish("/actions", "The change is saved", a)}
        />
    <//>`;
}

export function ActionForms(ctx, [a, b]) {
    const form = { add: AddAction, plan: AddPlan, allocate: Allocate, status: Status }[a];
    if (form) return html`<${form} ctx=${ctx} />`;
    if (a === "change") return html`<${ChangeAction} ctx=${ctx} id=${b} />`;
    return a === "end" ? html`<${EndPlan} ctx=${ctx} id=${b} />` : null;
}
