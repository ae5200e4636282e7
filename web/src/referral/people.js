// The people of a new referral: each with what is known, and with consent.
import { useEffect, useState } from "preact/hooks";
import { ApiError, get, query } from "../api.js";
import { roleItems } from "../case/words.js";
import { STATUS, day, words } from "../format.js";
import { html } from "../html.js";
import { Button, DateField, Details, Field, Notice, Radios, Select, Textarea, dateFault } from "../parts/index.js";
import { Link } from "../router.js";
import { useReference } from "../store.js";

export const newPerson = (role) => ({
    key: Math.random(), role, given_names: "", family_name: "", born_on: "", expected_on: "", unborn: "no", sex: "", nhs: "", upn: "",
    address: "", phone: "", consent: "", consent_reason: "",
});

// Only a child can still be to be born: what was said of one is not said of whom it was changed into.
const isUnborn = (p) => p.role === "child" && p.unborn === "yes";

const EFFECT = {
    given: "Records that need consent may be shared with those who take part in this case.",
    refused: "Records that need consent stay with the agency that wrote them. If a child may be at risk of significant harm, the owner of a record may still share it, and says why.",
    not_sought: "Records that need consent stay with the agency that wrote them until consent is asked for. Say why nobody has asked, for instance because asking would put somebody at risk.",
};
const CONSENTS = [
    { value: "given", text: "Given" }, { value: "refused", text: "Refused" }, { value: "not_sought", text: "Not asked for" },
];

// What is missing, as errors for the summary; the ids are those of the fields below.
export function personFaults(p, i) {
    const at = (field) => `person-${i}-${field}`;
    const who = `person ${i + 1}`;
    const found = [];
    const unborn = isUnborn(p);
    if (!p.given_names.trim() && !p.family_name.trim() && !unborn)
        found.push({ id: at("given"), message: `Enter a name for ${who}, or what they are called` });
    const fault = dateFault(unborn ? p.expected_on : p.born_on, `The date for ${who}`);
    if (fault) found.push({ id: at(unborn ? "expected" : "born"), message: fault });
    if (!p.consent) found.push({ id: at("consent"), message: `Say how it stands with the consent of ${who}` });
    if (p.consent && p.consent !== "given" && !p.consent_reason.trim())
        found.push({ id: at("reason"), message: `Say why ${who} has not consented` });
    return found;
}

const text = (value) => value.trim() || null;
export function personBody(p) {
    const unborn = isUnborn(p);
    return {
        role: p.role, given_names: text(p.given_names), family_name: text(p.family_name),
        born_on: unborn ? null : p.born_on || null, expected_on: unborn ? p.expected_on || null : null,
        sex: p.sex || null, nhs: text(p.nhs), upn: text(p.upn), address: text(p.address), phone: text(p.phone),
        consent: { state: p.consent, reason: p.consent === "given" ? null : text(p.consent_reason), scope: "all" },
    };
}

// Cases here with such a person, asked for while somebody types: a warning, never a hindrance.
export function Duplicates({ of }) {
    const [found, setFound] = useState({ cases: [], error: null });
    const family = of.family_name.trim();
    const born = dateFault(of.born_on) ? "" : of.born_on;
    const enough = family.length >= 2 && (of.given_names.trim().length >= 1 || born);
    const path = enough ? query("/api/duplicates", { family, given: of.given_names.trim(), born }) : null;
    useEffect(() => {
        if (!path) {
            setFound({ cases: [], error: null });
            return undefined;
        }
        const stop = new AbortController();
        const timer = setTimeout(async () => {
            try {
                setFound({ cases: await get(path, { signal: stop.signal }), error: null });
            } catch (e) {
                if (e instanceof ApiError) setFound({ cases: [], error: e });
            }
        }, 400);
        return () => {
            clearTimeout(timer);
            stop.abort();
        };
    }, [path]);
    return html`<div role="status">
        ${found.error && html`<p class="govuk-body">Earlier cases could not be looked for: ${found.error.message}</p>`}
        ${found.cases.length > 0 &&
        html`<${Notice} kind="warning" title="This may be somebody who is here already">
            <p class="govuk-body">Look before you send. If it is the same person, you can add to that case, or send this as a repeat referral.</p>
            <ul class="govuk-list govuk-list--bullet">
                ${found.cases.map((c) => html`<li key=${c.case_id}>
                    <${Link} to=${`/case/${c.case_id}`}>${c.reference}<//>: ${c.name}${c.born_on ? `, born ${day(c.born_on)}` : ""}
                    ${" "}(${STATUS[c.status] || words(c.status)}, received ${day(c.received_at)})
                </li>`)}
            </ul>
            <p class="govuk-body">What you have typed here is kept while you look.</p>
        <//>`}
    </div>`;
}

function Consent({ id, of, change, error }) {
    return html`<${Radios} id=${id("consent")} label="Consent to share" hint="Of this person, or of whoever may consent for them." inline
            value=${of.consent} onChange=${change("consent")} items=${CONSENTS} error=${error(id("consent"))} />
        ${of.consent && html`<div class="govuk-inset-text" role="status"><strong>What this means:</strong> ${EFFECT[of.consent]}</div>`}
        ${of.consent && of.consent !== "given" &&
        html`<${Textarea} id=${id("reason")} label=${of.consent === "refused" ? "What was said" : "Why nobody has asked"} rows=${2}
            value=${of.consent_reason} onChange=${change("consent_reason")} error=${error(id("reason"))} />`}`;
}

export function PersonFields({ index, of, set, remove, error }) {
    const reference = useReference();
    const id = (field) => `person-${index}-${field}`;
    const change = (name) => (value) => set({ ...of, [name]: value });
    const sexes = (reference?.codes?.sex || []).map((c) => ({ value: c.code, text: c.label }));
    const unborn = isUnborn(of);
    return html`<fieldset class="govuk-fieldset spoke-person">
        <legend class="govuk-fieldset__legend govuk-fieldset__legend--m">Person ${index + 1}</legend>
        <${Select} id=${id("role")} label="Who this is" empty=${null} value=${of.role} onChange=${change("role")} error=${error(id("role"))}
            items=${roleItems.map(([value, name]) => ({ value, text: name }))} />
        <${Field} id=${id("given")} label="Given names" width="20" value=${of.given_names} onChange=${change("given_names")} error=${error(id("given"))} />
        <${Field} id=${id("family")} label="Family name" width="20" value=${of.family_name} onChange=${change("family_name")} />
        ${of.role === "child" &&
        html`<${Radios} id=${id("unborn")} label="Is the child born?" inline tiny value=${of.unborn} onChange=${change("unborn")}
            items=${[{ value: "no", text: "Yes, born" }, { value: "yes", text: "Not born yet" }]} />`}
        ${unborn
            ? html`<${DateField} id=${id("expected")} label="When the birth is expected" optional value=${of.expected_on} onChange=${change("expected_on")} error=${error(id("expected"))} />`
            : html`<${DateField} id=${id("born")} label="Date of birth" hint="For example 6 5 2014. Leave it empty if nobody knows." optional value=${of.born_on}
                  onChange=${change("born_on")} error=${error(id("born"))} />`}
        <${Duplicates} of=${of} />
        <${Consent} id=${id} of=${of} change=${change} error=${error} />
        <${Details} summary=${`Sex, numbers, address and telephone of person ${index + 1}`}>
            <${Select} id=${id("sex")} label="Sex" optional value=${of.sex} empty="Not said" onChange=${change("sex")} items=${sexes} />
            <${Field} id=${id("nhs")} label="NHS number" optional hint="10 digits, such as 999 123 4567. It goes only to agencies that may know it." width="20"
                value=${of.nhs} onChange=${change("nhs")} />
            <${Field} id=${id("upn")} label="Unique pupil number (UPN)" optional width="20" value=${of.upn} onChange=${change("upn")} />
            <${Textarea} id=${id("address")} label="Address" optional rows=${2} value=${of.address} onChange=${change("address")} />
            <${Field} id=${id("phone")} label="Telephone" optional type="tel" width="20" value=${of.phone} onChange=${change("phone")} />
        <//>
        ${remove && html`<${Button} type="button" kind="secondary" onClick=${remove}>Remove person ${index + 1}<//>`}
    </fieldset>`;
}
