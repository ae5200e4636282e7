// A case that is not on this device: what this agency wrote and was told stays, and the outcome.
import { html } from "../html.js";
import { List } from "./bits.js";
import { Chronology } from "./chronology.js";
import { Told } from "./outcome.js";

// What the forms of a case look for, with nothing in it.
export const bareData = (data) => ({
    brief: null, people: [], warnings: [], participants: [], referrals: [], withheld: [], challenges: [], conflicts: [],
    ...data, case: { ...data.case, reference: "not on this device" },
});

export const BareHead = () => html`<h1 class="govuk-heading-l">A case that is not on this device</h1>
    <p class="govuk-body">
        Your agency takes no part in this case, or not any more, so the case itself is not here. What your agency wrote in it, what
        it was told and the outcome stay with you. For anything else about it, ring the MASH.
    </p>`;

export const Bare = ({ ctx }) => html`<h2 class="govuk-heading-m">Outcome</h2>
    <h3 class="govuk-heading-m">What was told</h3>
    <${List} items=${ctx.data.feedback} none="Nobody has told your agency the outcome yet." each=${(f) => html`<${Told} f=${f} ctx=${ctx} />`} />
    <${Chronology} ctx=${ctx} />`;
