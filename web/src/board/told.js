// What this agency was told of cases that are not here.
import { when } from "../format.js";
import { html } from "../html.js";
import { Tag } from "../parts/index.js";
import { Link } from "../router.js";

export function ToldWithout({ of, now }) {
    if (!of?.total) return null;
    return html`<section aria-labelledby="told">
        <h2 class="govuk-heading-m" id="told">Told to your agency, without the case <span class="spoke-count">(${of.total})</span></h2>
        <ul class="govuk-list">
            ${of.cases.map(
                (t) => html`<li key=${t.case_id}>
                    <${Link} to=${`/case/${t.case_id}`}>${`${t.agency_name || t.agency} told you ${t.outcome ? "an outcome" : "something"}, ${when(t.at, now)}`}<//>${" "}
                    ${t.to_confirm > 0 && html`<${Tag} tone="yellow">Not confirmed yet<//>`}
                </li>`,
            )}
        </ul>
        ${of.total > of.cases.length && html`<p class="govuk-body-s">Only the newest are shown. Find the others by searching.</p>`}
    </section>`;
}
