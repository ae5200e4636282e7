// Consent of each person, and what it does to sharing.
import { html } from "../html.js";
import { ButtonLink, Facts, Tag, Unsent } from "../parts/index.js";
import { ActForm } from "./act_form.js";
import { Line, List, Part, When, agencyOf } from "./bits.js";
import { capacityWords, consentWords, roleWords } from "./words.js";

const tones = { given: "green", refused: "red", withdrawn: "red", not_sought: "orange" };
const NONE =
    "Nothing is noted. Records that need consent are seen by nobody outside the agency that wrote them. All other records are shared as they are marked.";

function scopeWords(ctx, scope) {
    if (scope === "all") return "For everything that agencies hold";
    return `For what ${ctx.reference?.agencies?.find((a) => a.code === scope)?.name ?? scope} holds`;
}

function One({ c, ctx }) {
    const { now } = ctx;
    const over = c.state === "given" && c.expires_at && Date.parse(c.expires_at) <= now;
    return html`<${Line}>
            <${Tag} tone=${over ? "red" : tones[c.state]}>${over ? "Given, and over now" : consentWords(c.state)}<//>
            ${scopeWords(ctx, c.scope)} ${c.unsent && html`<${Unsent} of=${c} />`}
        <//>
        <p class="govuk-body"><strong>What this does:</strong> ${c.effect}</p>
        <${Facts}
            rows=${[
                { label: "Noted", value: c.given_at && html`<${When} at=${c.given_at} now=${now} /> by ${agencyOf(c)}` },
                { label: "Until", value: c.expires_at && html`<${When} at=${c.expires_at} now=${now} />` },
                { label: "Why", value: c.reason },
                { label: "Capacity", value: c.capacity && capacityWords(c.capacity) },
                { label: "Family told", value: c.told_at && html`<${When} at=${c.told_at} now=${now} />` },
            ]}
        />`;
}

export function Consent({ ctx }) {
    const { data, at } = ctx;
    return html`<${Part} title="Consent" of=${data.case}>
        <p class="govuk-body">
            Consent counts for records that their owner marked “only with consent”. Where agencies noted different answers, the most protective counts. If a child
            or adult may be at risk of significant harm, the owner of a record may share it without consent, and says why.
        </p>
        ${data.people.map(
            (p) => html`<section key=${p.id} class="case-consent" aria-label=${`Consent of ${p.name || "a person"}`}>
                <h3 class="govuk-heading-s">${p.name || "Name not known"} <span class="case-quiet">${roleWords(p.role)}</span></h3>
                <${List} items=${p.consents ?? []} none=${NONE} each=${(c) => html`<${One} c=${c} ctx=${ctx} />`} />
                ${
                    data.may.consent &&
                    html`<${ButtonLink} kind="secondary" to=${`${at}/consent/${p.id}`}>
                    ${(p.consents ?? []).length ? "Note a change" : "Note what they said"}<span class="govuk-visually-hidden">${`: consent of ${p.name}`}</span>
                <//>`
                }
            </section>`,
        )}
        ${!data.may.consent && html`<p class="govuk-body">Your agency’s part in this case does not let it note consent. If somebody told you, tell the MASH.</p>`}
    <//>`;
}

const effects = {
    given: "Records that wait for this person’s consent become visible to those for whom they are marked, unless somebody else they are about has not consented.",
    refused:
        "Records that need this person’s consent are seen by nobody outside the agency that wrote them. If a child or adult may be at risk of significant harm, each owner may share without consent.",
    withdrawn: "Records that were shared because of this consent leave the devices of other agencies, which confirm it.",
    not_sought:
        "Records that need consent wait. Their owners see your reason, and may share without consent if a child or adult may be at risk of significant harm.",
};

export function NoteConsent({ ctx, pid }) {
    const p = ctx.data.people.find((one) => one.id === pid);
    if (!p) return html`<p class="govuk-body">This person is not here any more.</p>`;
    const adult = p.role !== "child" && p.role !== "sibling";
    const fields = [
        {
            name: "scope",
            kind: "select",
            label: "What is it about?",
            empty: null,
            value: "all",
            items: [
                ["all", "Everything that agencies hold"],
                ...(ctx.reference?.agencies ?? []).map((a) => [a.code, `What ${a.name || a.code} holds`]),
            ],
        },
        {
            name: "state",
            kind: "radios",
            label: `What did ${p.name || "the person"} say?`,
            need: "Choose what they said",
            items: [
                ["given", "Consent is given"],
                ["refused", "Consent is refused"],
                ["withdrawn", "Consent is withdrawn", "It was given before."],
                ["not_sought", "Consent was not sought", "Because asking would raise the risk, or there was no time."],
            ],
        },
        {
            name: "reason",
            kind: "area",
            rows: 3,
            label: "Why?",
            hint: "It is needed where consent was not sought, and helps in all other cases.",
            check: () => null,
            need: (v) => (v.state === "not_sought" ? "Say why consent was not sought" : null),
        },
        {
            name: "capacity",
            kind: "radios",
            label: "Capacity to decide this",
            shown: () => adult,
            value: "",
            items: [
                ["has", "They have the capacity"],
                ["lacks", "They lack the capacity", "Then nobody else can consent for them: note that consent was not sought, and why."],
                ["", "Not assessed"],
            ],
        },
        {
            name: "until",
            kind: "when",
            label: "Until when?",
            hint: "Leave this empty if no end was agreed.",
            shown: (v) => v.state === "given",
            future: true,
        },
        {
            name: "told_at",
            kind: "when",
            label: "When was the family told that information is shared?",
            hint: "Leave this empty if they were not told.",
            past: true,
        },
    ];
    return html`<${Part} title=${`Consent of ${p.name || "a person"}`} plain="Note consent" of=${ctx.data.case}>
        <${ActForm}
            name=${`consent ${pid}`} act="consent" fixed=${{ case_id: ctx.data.case.id, person_id: pid }} fields=${fields} cancel=${`${ctx.at}/consent`} send="Note this"
            next=${(v) => effects[v.state] ?? "Choose what they said to see what it does."}
            done=${(a) => ctx.finish("/consent", "Consent is noted", { ...a, notes: [a.effect, ...(a.notes ?? [])].filter(Boolean) })}
        />
    <//>`;
}
