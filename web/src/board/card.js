// One case on the board.
import { html } from "../html.js";
import { roleWords } from "../case/words.js";
import { age, list, personName } from "../format.js";
import { CaseRating, Clock, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";

const PARTNER = {
    answered: { mark: "M3 8l4 4 6-8", text: "answered" },
    asked: { mark: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M8 4.5V8l2.5 2", text: "asked" },
    late: { mark: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M8 4.5v4M8 10.5v1.5", text: "has not answered in time" },
    declined: { mark: "M4 4l8 8M12 4l-8 8", text: "declined" },
};

export function involved(people, initials) {
    return people.map((p) => {
        const years = initials ? "" : age(p.born_on);
        return `${personName(p, initials)}${p.role ? ` (${[roleWords(p.role).toLowerCase(), years].filter(Boolean).join(", ")})` : ""}`;
    });
}

export function Partners({ partners, of }) {
    if (partners.length === 0) return html`<p class="spoke-card__line spoke-quiet">Nobody has been asked yet.</p>`;
    return html`<ul class="spoke-partners" aria-label=${`Partners asked about ${of}`}>
        ${partners.map((p) => {
            const state = PARTNER[p.state] || PARTNER.asked;
            return html`<li key=${p.agency} class=${`spoke-partner spoke-partner--${p.state}`}>
                <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${state.mark} /></svg>
                <span>${p.agency_name || p.agency} ${state.text}</span>
            </li>`;
        })}
    </ul>`;
}

export function BoardCard({ of, initials, now, need, wall = false }) {
    const people = involved(of.people, initials);
    if (of.people_more) people.push(`${of.people_more} more`);
    return html`<li class=${`spoke-board__card spoke-board__card--${of.shown_rag || "none"}`}>
        <div class="spoke-board__top">
            <h3 class="govuk-heading-s spoke-board__reference">
                ${wall ? of.reference : html`<${Link} to=${`/case/${of.id}`}>${of.reference}<//>`}
            </h3>
            <${CaseRating} of=${of} />
        </div>
        ${of.due_at && html`<p class="spoke-card__line"><${Clock} at=${of.due_at} what=${of.due_what} now=${now} /></p>`}
        <p class="spoke-card__line spoke-board__people">${people.length ? list(people) : "Nobody entered yet"}</p>
        ${need && !wall && html`<p class="spoke-card__line spoke-quiet">${need}</p>`}
        <${Partners} partners=${of.partners} of=${of.reference} />
        <p class="spoke-card__line spoke-board__marks">
            ${of.to_answer > 0 &&
            (wall
                ? html`<${Tag} tone="purple">We are asked<//>`
                : html`<${Link} class="govuk-link spoke-board__answer" to=${`/case/${of.id}/requests`}>
                      ${of.to_answer === 1 ? "Your agency is asked: answer" : `Your agency is asked ${of.to_answer} questions: answer`}<span
                          class="govuk-visually-hidden"> about ${of.reference}</span>
                  <//>`)}
            ${of.repeat && html`<${Tag} tone="orange">Repeat referral<//>`} ${of.conflicts > 0 && html`<${Tag} tone="red">Two versions<//>`}
            <${Unsent} of=${of} /> ${of.subject_kind === "adult" && html`<${Tag} tone="grey">Adult<//>`}
        </p>
    </li>`;
}
