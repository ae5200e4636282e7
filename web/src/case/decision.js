// Ratings, disputes, meetings and the decision.
import { html } from "../html.js";
import { ButtonLink, Prose, Rating, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { Line, List, Part, When, agencyOf, siteName } from "./bits.js";
import { Decided } from "./overview.js";
import { challengeWords, meetingWords, modeWords, stageWords } from "./words.js";

// "rating:manager" → what it is about, and who decides it
export function aboutWords(about) {
    const [what, to] = String(about ?? "").split(":");
    const thing = what === "decision" ? "the decision" : "the rating";
    return { thing, decides: to === "manager" ? "the operations manager" : "social care", manager: to === "manager" };
}

function OneRating({ r, ctx }) {
    const { now, at, data } = ctx;
    return html`<${Line}>
            <${Rating} rag=${r.rag} /> ${agencyOf(r)} ${r.author?.name} ${stageWords(r.stage)} ${html`<${When} at=${r.rated_at} now=${now} />`}
            ${r.unsent && html`<${Unsent} of=${r} />`}
        <//>
        <${Prose} text=${r.reason} />
        ${r.waits && data.may["dispute-decide"] && html`<${ButtonLink} to=${`${at}/decision/dispute/${r.id}`}>Decide about this rating<//>`}`;
}

function Dispute({ c, ctx }) {
    const { data, at, now, session } = ctx;
    const { thing, decides, manager } = aboutWords(c.about);
    return html`<h4 class="govuk-heading-s">${c.about === "rating:settled" ? "Another agency’s rating" : `${agencyOf(c)} disputes ${thing}`}</h4>
        <${Line}>
            <${Tag} tone=${c.state === "open" ? "yellow" : "grey"}>${challengeWords(c.state)}<//> ${c.state === "open" && `${decides[0].toUpperCase()}${decides.slice(1)} decides`}
            ${c.decided_by?.name && `Decided by ${c.decided_by.name}`} ${c.decided_at && html`<${When} at=${c.decided_at} now=${now} />`} ${c.unsent && html`<${Unsent} of=${c} />`}
        <//>
        <${Prose} text=${c.reason} />
        ${c.decision_reason && html`<p class="govuk-body"><strong>Why decided so:</strong> ${c.decision_reason}</p>`}
        ${c.state === "open" && data.may["dispute-decide"] && html`<p class="govuk-body"><${ButtonLink} to=${`${at}/decision/dispute/${c.id}`}>Decide this dispute<//></p>`}
        ${
            c.state !== "open" &&
            !manager &&
            c.agency === session.agency &&
            data.may.dispute &&
            html`<p class="govuk-body"><${Link} to=${`${at}/decision/dispute?to=manager&about=${thing === "the decision" ? "decision" : "rating"}`}>You still do not agree? Take it to the operations manager<//></p>`
        }`;
}

function Meeting({ m, ctx }) {
    const { now, reference } = ctx;
    const there = m.attendance.filter((a) => a.present);
    const away = m.attendance.filter((a) => !a.present);
    const who = (a) =>
        a.practitioner
            ? `${a.practitioner.name}${a.practitioner.site ? ` (${siteName(reference, a.practitioner.site)})` : ""}`
            : a.dissent || "Somebody not known here";
    const dissent = m.attendance.filter((a) => a.practitioner && a.dissent);
    return html`<h4 class="govuk-heading-s">${meetingWords(m.kind)}</h4>
        <${Line}>
            ${html`<${When} at=${m.held_at} now=${now} />`} ${m.mode && modeWords(m.mode)} ${m.chair && `Chair: ${m.chair}`} ${agencyOf(m)} ${m.unsent && html`<${Unsent} of=${m} />`}
        <//>
        <${Prose} text=${m.outcome} />
        ${there.length > 0 && html`<p class="govuk-body"><strong>Took part:</strong> ${there.map(who).join("; ")}</p>`}
        ${away.length > 0 && html`<p class="govuk-body"><strong>Asked, but not there:</strong> ${away.map(who).join("; ")}</p>`}
        ${dissent.map((a) => html`<p class="govuk-body" key=${a.id}><strong>${a.practitioner.name} did not agree:</strong> ${a.dissent}</p>`)}`;
}

const newest = (rows, key) => [...rows].sort((a, b) => String(b[key] ?? "").localeCompare(String(a[key] ?? "")));

export function Decision({ ctx }) {
    const { data, at } = ctx;
    const may = data.may;
    const ratings = data.ratings.filter((r) => r.stage !== null);
    return html`<${Part} title="Meeting and decision" of=${data.case}>
        <h3 class="govuk-heading-m">Decision and outcome</h3>
        <${Decided} ctx=${ctx} />
        ${
            may.decide
                ? html`<${ButtonLink} to=${`${at}/decision/decide`}>Write down the decision<//>`
                : html`<p class="govuk-body">Whoever leads the case, or social care or a manager of the MASH, writes down the decision.</p>`
        }
        <h3 class="govuk-heading-m">Meetings</h3>
        ${may["meeting-add"] && html`<${ButtonLink} kind="secondary" to=${`${at}/decision/meeting`}>Write down a meeting<//>`}
        <${List} items=${newest(data.meetings, "held_at")} none="No meeting is written down." each=${(m) => html`<${Meeting} m=${m} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">Ratings</h3>
        ${may.rate && html`<${ButtonLink} kind="secondary" to=${`${at}/decision/rate`}>Rate this case<//>`}
        <${List} items=${newest(ratings, "rated_at")} none="Nobody has rated this case, as far as this device may know." each=${(r) => html`<${OneRating} r=${r} ctx=${ctx} />`} />
        <h3 class="govuk-heading-m">Disputes</h3>
        <p class="govuk-body">If your agency does not agree with the rating or the decision, say so here. Social care decides first; after that, the operations manager.</p>
        ${
            may.dispute
                ? html`<p class="govuk-body"><${Link} to=${`${at}/decision/dispute`}>Dispute the rating or the decision<//></p>`
                : html`<p class="govuk-body">Your agency’s part in this case does not let it open a dispute here. Ring the MASH.</p>`
        }
        <${List} items=${data.challenges} none="Nothing is disputed." each=${(c) => html`<${Dispute} c=${c} ctx=${ctx} />`} />
    <//>`;
}
