// The board: every case this site may see, by how far it is, the most urgent first.
import { query } from "../api.js";
import { RAGS, count, label, nowMs, ragWord } from "../format.js";
import { html } from "../html.js";
import { ButtonLink, Checkbox, Loaded, Page, Select } from "../parts/index.js";
import { Link, go, useRoute } from "../router.js";
import { setInitials, useInitials, useLoad, useNow, useReference, useSession } from "../store.js";
import { BoardCard } from "./card.js";
import { ToldWithout } from "./told.js";

const HELP = html`<p class="govuk-body">
        The board shows the cases that your agency takes part in, in four columns: new, gathering (partners are being asked), ready to
        meet, and decided. In each the most urgent stands first: overdue ones, then by rating, then by the time that is left.
    </p>
    <p class="govuk-body">
        Red, amber, green and blue say how urgent a case is. Each card says who is involved, and which partners have answered in time
        and which have not. Open a case by its reference. Where your agency is asked something, the card says so: answer from there.
    </p>`;

function filtersOf(q) {
    return {
        mine: q.get("mine") === "1", overdue: q.get("overdue") === "1", all: q.get("all") === "1",
        subject: q.get("subject") || "", rag: q.get("rag") || "", area: q.get("area") || "",
    };
}

function Filters({ filters, areas }) {
    const initials = useInitials();
    const change = (name) => (value) => go(query("/board", { ...filters, [name]: value }), { replace: true, focus: false });
    const any = Object.values(filters).some(Boolean);
    return html`<form class="spoke-filters" aria-label="Which cases are shown" onSubmit=${(e) => e.preventDefault()}>
        <${Select} id="rag" label="Rating" small value=${filters.rag} empty="Every rating" onChange=${change("rag")}
            items=${RAGS.map((r) => ({ value: r, text: ragWord(r) }))} />
        <${Select} id="subject" label="Children or adults" small value=${filters.subject} empty="Both" onChange=${change("subject")}
            items=${[{ value: "child", text: "Children" }, { value: "adult", text: "Adults" }]} />
        ${areas.length > 1 &&
        html`<${Select} id="area" label="Area" small value=${filters.area} empty="Every area" onChange=${change("area")}
            items=${areas.map((a) => ({ value: a, text: a }))} />`}
        <div class="spoke-filters__boxes">
            <${Checkbox} id="mine" label="Ours: asked of us, led by us, or mine" tiny value=${filters.mine} onChange=${change("mine")} />
            <${Checkbox} id="overdue" label="Overdue" tiny value=${filters.overdue} onChange=${change("overdue")} />
            <${Checkbox} id="all" label="Closed ones too" tiny value=${filters.all} onChange=${change("all")} />
            <${Checkbox} id="initials" label="Initials only" tiny value=${initials} onChange=${setInitials} />
        </div>
        ${any && html`<p class="govuk-body"><${Link} to="/board">Show every case<//></p>`}
    </form>`;
}

export function Column({ of, initials, now, reference, wall }) {
    return html`<section class="spoke-board__column" aria-labelledby=${`column-${of.status}`}>
        <h2 class="govuk-heading-m spoke-board__heading" id=${`column-${of.status}`}>${of.title} <span class="spoke-count">(${of.total})</span></h2>
        ${of.cases.length === 0 && html`<p class="govuk-body spoke-empty">No case.</p>`}
        <ol class="spoke-board__cards">
            ${of.cases.map((c) => html`<${BoardCard} key=${c.id} of=${c} initials=${initials} now=${now} wall=${wall}
                need=${c.need && label(reference, "primary_need", c.need)} />`)}
        </ol>
        ${of.total > of.cases.length &&
        html`<p class="govuk-body-s">The ${of.cases.length} most urgent of ${of.total} are shown. ${wall ? "" : "Choose above to see others."}</p>`}
    </section>`;
}

export function BoardPage() {
    const at = useRoute();
    const filters = filtersOf(at.query);
    const load = useLoad(query("/api/board", filters), { every: 60000 });
    const reference = useReference();
    const session = useSession();
    const initials = useInitials();
    useNow();
    const now = nowMs();
    return html`<${Page} title="Board" help=${HELP}>
        <div class="spoke-row spoke-row--actions">
            <${ButtonLink} to="/new">New referral<//>
            <${ButtonLink} kind="secondary" to="/wall">Show on a big screen<//>
        </div>
        <${Filters} filters=${filters} areas=${session?.areas || []} />
        <${Loaded} load=${load} what="the board">
            ${(board) => html`<p class="govuk-body" role="status">
                    ${count(board.columns.reduce((n, c) => n + c.total, 0), "case")}${Object.values(filters).some(Boolean) ? " of those you chose" : ""}
                </p>
                <div class=${`spoke-board spoke-board--${board.columns.length}`}>
                    ${board.columns.map((c) => html`<${Column} key=${c.status} of=${c} initials=${initials} now=${now} reference=${reference} />`)}
                </div>
                <${ToldWithout} of=${board.told} now=${now} />`}
        <//>
    <//>`;
}
