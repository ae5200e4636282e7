// Permission to share: what other agencies ask to be told, what this agency asks for, and what was told to whom, and
// how.
import { html } from "../html.js";
import { ButtonLink, Prose, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { Line, List, Part, When, agencyOf } from "./bits.js";
import { Withheld } from "./overview.js";
import { howWords } from "./words.js";

// A question has somebody who asked; what was told has none.
const isAsk = (r) => r.asked_by !== null && r.asked_by !== undefined;

function AskState({ r }) {
    const words = {
        asked: ["Waits for an answer", "blue"],
        granted: ["Agreed", "green"],
        refused: ["Refused", "orange"],
        expired: ["Taken back", "grey"],
    };
    const [text, tone] = words[r.state] ?? [r.state, "grey"];
    return html`<${Tag} tone=${tone}>${text}<//>`;
}

function Asked({ r, ctx }) {
    const { at, session, data } = ctx;
    const toUs = r.to_agency === session.agency;
    return html`<h4 class="govuk-heading-s">${toUs ? `${agencyOf(r)} asks your agency` : `${agencyOf(r)} asks ${agencyOf(r, "to_agency")}`}</h4>
        <${Line}>
            <${AskState} r=${r} /> ${r.asked_by?.name && `Asked by ${r.asked_by.name}`}
            ${r.decided_at && html`Decided <${When} mid at=${r.decided_at} now=${ctx.now} />`} ${r.unsent && html`<${Unsent} of=${r} />`}
        <//>
        <${Prose} text=${r.reason} />
        ${r.state === "refused" && r.says && html`<p class="govuk-body">${r.says}</p>`}
        ${
            toUs &&
            r.state === "asked" &&
            html`<div class="govuk-button-group">
            ${data.may["release-grant"] !== false && html`<${ButtonLink} to=${`${at}/permission/${r.id}/answer`}>Choose what they are told<//>`}
            <${Link} to=${`${at}/permission/${r.id}/refuse`}>Refuse, and say why<//>
        </div>`
        }
        ${r.agency === session.agency && r.state === "asked" && html`<p class="govuk-body"><${Link} to=${`${at}/permission/${r.id}/cancel`}>Take this question back<//></p>`}`;
}

function Told({ r, ctx }) {
    const { now } = ctx;
    const over = r.expires_at && Date.parse(r.expires_at) <= now;
    return html`<h4 class="govuk-heading-s">${`${agencyOf(r)} told ${agencyOf(r, "to_agency")}`}</h4>
        <${Line}>
            ${howWords(r.how)} ${r.decided_by?.name} ${r.decided_at && html`<${When} at=${r.decided_at} now=${now} />`}
            ${r.expires_at && html`${over ? html`<strong>Over</strong> since` : "May be used until"} <${When} mid at=${r.expires_at} now=${now} left=${!over} />`}
            ${r.unsent && html`<${Unsent} of=${r} />`}
        <//>`;
}

export function Permission({ ctx }) {
    const { data, at, session } = ctx;
    const asks = data.releases.filter(isAsk);
    const toUs = asks.filter((r) => r.to_agency === session.agency);
    const byUs = asks.filter((r) => r.agency === session.agency);
    const told = data.releases.filter((r) => !isAsk(r) && r.state === "granted");
    const first = (rows) => [...rows].sort((a, b) => (b.state === "asked") - (a.state === "asked"));
    return html`<${Part} title="Permission to share" of=${data.case}>
        <p class="govuk-body">
            What is sensitive stays with the agency that wrote it, and the MASH. Its owner decides each time whether another agency is told, and how: the whole
            record, in other words, by word of mouth, or not at all.
        </p>
        <${Withheld} data=${data} at=${at} />
        <h3 class="govuk-heading-m">Asked of your agency</h3>
        <${List} items=${first(toUs)} none="Nobody asks to be told what you hold." each=${(r) => html`<${Asked} r=${r} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">Asked by your agency</h3>
        ${
            data.may["release-ask"]
                ? html`<${ButtonLink} kind="secondary" to=${`${at}/permission/ask`}>Ask an agency for permission to share<//>`
                : html`<p class="govuk-body">Your agency’s part in this case does not let it ask here. Ring the agency, or the MASH.</p>`
        }
        <${List} items=${first(byUs)} none="Your agency has asked nobody." each=${(r) => html`<${Asked} r=${r} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">What was told</h3>
        <p class="govuk-body">What your agency was told, and on which conditions, stands in the <${Link} to=${`${at}/chronology`}>chronology<//>.</p>
        <${List} items=${told} none="Nothing has been told in this way." each=${(r) => html`<${Told} r=${r} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">Saying that you hold something</h3>
        <p class="govuk-body">You may let everybody in this case know that your agency holds something, without saying what, so that they can ask.</p>
        <${List} items=${data.pointers.filter((p) => p.agency === session.agency)} none="Your agency has not said that it holds anything." each=${(
            p,
        ) => html`<${Line}>
            ${p.note || "We hold something: ask us"} ${p.contact && `Ask ${p.contact}`} ${p.unsent && html`<${Unsent} of=${p} />`}
        <//>`} />
        ${data.may["pointer-add"] && html`<p class="govuk-body"><${Link} to=${`${at}/permission/pointer`}>Say that your agency holds something<//></p>`}
    <//>`;
}
