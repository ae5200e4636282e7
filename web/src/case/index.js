// A case: its head, its parts as tabs, and the part or form that the address names.
import { html } from "../html.js";
import { BackLink, Loaded } from "../parts/index.js";
import { go, Link } from "../router.js";
import { useLoad, useNow, useReference, useSession } from "../store.js";
import { ActionForms, Actions } from "./actions.js";
import { Bare, BareHead, bareData } from "./bare.js";
import { Part } from "./bits.js";
import { Chronology } from "./chronology.js";
import { Consent, NoteConsent } from "./consent.js";
import { DecisionForms } from "./decision_forms.js";
import { Decision } from "./decision.js";
import { Head } from "./head.js";
import { Opened, WhoOpened, WhyHere } from "./opened.js";
import { Outcome, TellOutcome } from "./outcome.js";
import { Overview, waiting } from "./overview.js";
import { People } from "./people.js";
import { PeopleForms } from "./people_forms.js";
import { Permission } from "./permission.js";
import { PermissionForms } from "./permission_forms.js";
import { AddRecord, ChangeRecord, Mistake, OverrideRecord } from "./record_forms.js";
import { Answer, Ask, Cancel, ChaseForm, Decline, Requests } from "./requests.js";
import { Sharing, SharingForms } from "./sharing.js";
import { Summary } from "./summary.js";
import { Tabs, tabs } from "./tabs.js";

function Nothing({ ctx }) {
    return html`<${Part} title="There is no such page in this case" of=${ctx.data.case}>
        <p class="govuk-body"><${Link} to=${ctx.at}>Go to the overview of this case<//></p>
    <//>`;
}

// The parts that have forms of their own beneath them: [part, what is shown for the rest of the address]
const parts = {
    "": { page: Overview },
    chronology: {
        page: Chronology,
        form: (ctx, [a, b, c]) => {
            if (a === "add") return html`<${AddRecord} ctx=${ctx} />`;
            if (a === "record" && c === "change") return html`<${ChangeRecord} ctx=${ctx} rid=${b} />`;
            if (a === "record" && c === "override") return html`<${OverrideRecord} ctx=${ctx} rid=${b} />`;
            return c === "mistake" ? html`<${Mistake} ctx=${ctx} tbl=${a} rid=${b} />` : null;
        },
    },
    people: { page: People, form: (ctx, rest) => PeopleForms(ctx, rest) },
    requests: {
        page: Requests,
        form: (ctx, [a, b]) => {
            const form = { answer: Answer, decline: Decline, cancel: Cancel, chase: ChaseForm }[b];
            if (a === "ask") return html`<${Ask} ctx=${ctx} />`;
            return form ? html`<${form} ctx=${ctx} rid=${a} />` : null;
        },
    },
    permission: { page: Permission, form: (ctx, rest) => PermissionForms(ctx, rest) },
    consent: { page: Consent, form: (ctx, [person]) => html`<${NoteConsent} ctx=${ctx} pid=${person} />` },
    sharing: { page: Sharing, form: (ctx, rest) => SharingForms(ctx, rest) },
    decision: { page: Decision, form: (ctx, rest) => DecisionForms(ctx, rest) },
    outcome: { page: Outcome, form: (ctx, [a]) => (a === "tell" ? html`<${TellOutcome} ctx=${ctx} />` : null) },
    actions: { page: Actions, form: (ctx, rest) => ActionForms(ctx, rest) },
    opened: {
        page: Opened,
        form: (ctx, [tbl, rid, why]) =>
            why === "why" ? html`<${WhyHere} ctx=${ctx} tbl=${tbl} rid=${rid} />` : html`<${WhoOpened} ctx=${ctx} tbl=${tbl} rid=${rid} />`,
    },
    summary: { page: Summary },
};

function Shown({ ctx, rest }) {
    const [part = "", ...more] = rest;
    const entry = parts[part];
    if (!entry) return html`<${Nothing} ctx=${ctx} />`;
    if (!more.length) return html`<${entry.page} key=${part} ctx=${ctx} />`;
    const [, name] = tabs.find(([p]) => p === part);
    const form = entry.form?.(ctx, more) ?? html`<${Nothing} ctx=${ctx} />`;
    return html`<div key=${rest.join("/")}><${BackLink} to=${`${ctx.at}/${part}`}>${name}<//>${form}</div>`;
}

function decoded(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

export function CasePage({ id, rest: raw = [], query }) {
    const rest = raw.map(decoded);
    const load = useLoad(`/api/cases/${encodeURIComponent(id)}`);
    const session = useSession();
    const reference = useReference();
    const now = useNow(30);
    const at = `/case/${encodeURIComponent(id)}`;
    return html`<${Loaded} load=${load} what="the case">
        ${(got) => {
            const data = got.bare ? bareData(got) : got;
            // To another part of this case, or a whole address.
            const finish = (to, title, answer) =>
                go(tabs.some(([part]) => `/${part}` === to) ? at + to : to, { say: { ...answer, title } });
            const ctx = { id: data.case.id, at, data, session, reference, now, query, finish };
            if (data.bare) return html`<${BareHead} />${rest.length > 1 ? html`<${Shown} ctx=${ctx} rest=${rest} />` : html`<${Bare} ctx=${ctx} />`}`;
            if (rest[0] === "summary") return html`<${Summary} ctx=${ctx} />`;
            return html`<${Head} data=${data} now=${now} />
                <${Tabs} at=${at} current=${rest[0] ?? ""} waiting=${waiting(data, session)} />
                <${Shown} ctx=${ctx} rest=${rest} />`;
        }}
    <//>`;
}
