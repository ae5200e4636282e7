// Adding people, relations, addresses and warnings; changing what is said about a person.
import { html } from "../html.js";
import { ActForm } from "./act_form.js";
import { Part } from "./bits.js";
import { kinds, kinWords } from "./kin.js";
import { personItems } from "./record_forms.js";
import { contactItems, roleItems, warningItems } from "./words.js";

const sexItems = [
    ["0", "Not recorded, or not born yet"],
    ["1", "Male"],
    ["2", "Female"],
    ["9", "Neither, or not stated"],
];
const personFields = [
    {
        name: "given_names",
        kind: "text",
        label: "First names",
        need: (v) => (v.family_name?.trim() ? null : "Write a first name or a family name, such as “unknown man”"),
    },
    { name: "family_name", kind: "text", label: "Family name", optional: true },
    { name: "role", kind: "select", label: "Role in this case", items: roleItems, need: "Choose the role in this case" },
    { name: "born_on", kind: "date", label: "Date of birth", optional: true },
    { name: "expected_on", kind: "date", label: "Expected date of birth, if not born yet", optional: true },
    { name: "died_on", kind: "date", label: "Date of death", optional: true },
    { name: "sex", kind: "select", label: "Sex, as the census writes it", items: sexItems, empty: "Not said" },
    { name: "nhs", kind: "text", width: 20, label: "NHS number", hint: "Seen by health and social care, and the MASH.", optional: true },
    {
        name: "upn",
        kind: "text",
        width: 20,
        label: "Unique pupil number",
        hint: "Seen by education and social care, and the MASH.",
        optional: true,
    },
];

function AddPerson({ ctx }) {
    return html`<${Part} title="Add a person" of=${ctx.data.case}>
        <p class="govuk-body">Also add people who are not related but live in the household or are often there.</p>
        <${ActForm}
            name=${`person-add ${ctx.id}`} act="person-add" fixed=${{ case_id: ctx.data.case.id }} fields=${personFields} send="Add this person"
            cancel=${`${ctx.at}/people`} next="Everybody who takes part sees the person. You can then say how they are related."
            done=${(a) => ctx.finish("/people", "The person was added", a)}
        />
    <//>`;
}

function ChangePerson({ ctx, pid }) {
    const p = ctx.data.people.find((one) => one.id === pid);
    if (!p) return html`<p class="govuk-body">This person is not here any more.</p>`;
    const fields = personFields.filter((f) => f.name !== "nhs" && f.name !== "upn");
    const start = Object.fromEntries(fields.map((f) => [f.name, p[f.name] ?? ""]));
    const numbers = personFields
        .filter((f) => f.name === "nhs" || f.name === "upn")
        .map((f) => ({ ...f, hint: `${f.hint} Leave it empty to keep what there is.` }));
    return html`<${Part} title=${`Change ${p.name || "a person"}`} plain="Change a person" of=${ctx.data.case}>
        <p class="govuk-body">If somebody else changes the same fact, both versions are kept, and a person decides.</p>
        <${ActForm}
            name=${`person-set ${pid}`} act="person-set" start=${start} fixed=${{ id: pid }} fields=${[...fields, ...numbers]} changes send="Save what you changed"
            cancel=${`${ctx.at}/people`} next="Everybody who takes part sees the change." done=${(a) => ctx.finish("/people", "The change is saved", a)}
        />
    <//>`;
}

function Relate({ ctx }) {
    const people = personItems(ctx.data);
    const name = (id) => people.find(([p]) => p === id)?.[1] ?? "…";
    const fields = [
        { name: "relative_id", kind: "select", label: "Who", items: people, need: "Choose who" },
        {
            name: "kind",
            kind: "select",
            label: "is the",
            items: kinds.flatMap((g) => g.items.map(([v, t]) => [v, `${t} (${g.group.toLowerCase()})`])),
            need: "Choose how they are related",
        },
        {
            name: "person_id",
            kind: "select",
            label: "of",
            items: people,
            need: "Choose whose relative",
            check: (v, all) => (v === all.relative_id ? "Choose two different people: nobody is their own relative" : null),
        },
    ];
    return html`<${Part} title="Say how two people are related" of=${ctx.data.case}>
        <${ActForm}
            name=${`kin-add ${ctx.id}`} act="kin-add" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} send="Save this relation" cancel=${`${ctx.at}/people`}
            next="It appears in the family tree of everybody who takes part." done=${(a, v) => ctx.finish("/people", `${name(v.relative_id)} is now the ${kinWords(v.kind)} of ${name(v.person_id)}`, a)}
        >
            ${(v) => v.kind && v.relative_id && v.person_id && html`<p class="govuk-inset-text">${`${name(v.relative_id)} is the ${kinWords(v.kind)} of ${name(v.person_id)}.`}</p>`}
        <//>
    <//>`;
}

function AddContact({ ctx, pid }) {
    const p = ctx.data.people.find((one) => one.id === pid);
    const fields = [
        { name: "kind", kind: "select", label: "What is it?", items: contactItems, need: "Choose what it is" },
        { name: "value", kind: "text", label: "Address, number or name", need: "Write the address, number or name" },
        {
            name: "protected",
            kind: "yes",
            label: "It is protected: nobody may learn it",
            hint: "Choose this where somebody is in danger from whoever learns it, such as the address of a refuge. Only your agency and the MASH see it. It cannot be made open again by another agency.",
        },
        { name: "note", kind: "text", label: "Note", hint: "Such as “Ring after six”.", optional: true },
    ];
    return html`<${Part} title=${`Add an address or telephone of ${p?.name ?? "a person"}`} plain="Add an address or telephone" of=${ctx.data.case}>
        <${ActForm}
            name=${`contact-add ${pid}`} act="contact-add" fixed=${{ case_id: ctx.data.case.id, person_id: pid }} fields=${fields} cancel=${`${ctx.at}/people`}
            send=${(v) => (v.protected ? "Save it for your agency and the MASH alone" : "Save it for everybody who takes part")}
            next=${(v) => (v.protected ? "Only your agency and the MASH see it." : "Everybody who takes part sees it.")} done=${(a) => ctx.finish("/people", "It is saved", a)}
        />
    <//>`;
}

function AddWarning({ ctx, pid }) {
    const fields = [
        { name: "kind", kind: "select", label: "What about?", items: warningItems, need: "Choose what the warning is about" },
        {
            name: "note",
            kind: "area",
            rows: 3,
            label: "What must people know before they visit or ring?",
            need: "Write what people must know",
        },
        {
            name: "person_id",
            kind: "select",
            label: "Whom is it about?",
            items: personItems(ctx.data),
            empty: "The household",
            value: pid ?? "",
        },
        {
            name: "until",
            kind: "when",
            label: "Until when?",
            hint: "Leave this empty if you do not know. It ends by itself then.",
            future: true,
        },
    ];
    return html`<${Part} title="Add a warning" of=${ctx.data.case}>
        <p class="govuk-body">Everybody who takes part sees warnings first, also those who are only asked what they know.</p>
        <${ActForm}
            name=${`warning-add ${ctx.id} ${pid ?? ""}`} act="warning-add" fixed=${{ case_id: ctx.data.case.id }} fields=${fields} send="Warn everybody who takes part"
            cancel=${`${ctx.at}/people`} next="It stands at the top of every page of this case." done=${(a) => ctx.finish("/people", "The warning is added", a)}
        />
    <//>`;
}

export function PeopleForms(ctx, [a, b]) {
    if (a === "add") return html`<${AddPerson} ctx=${ctx} />`;
    if (a === "relate") return html`<${Relate} ctx=${ctx} />`;
    if (a === "warning") return html`<${AddWarning} ctx=${ctx} />`;
    if (b === "change") return html`<${ChangePerson} ctx=${ctx} pid=${a} />`;
    if (b === "contact") return html`<${AddContact} ctx=${ctx} pid=${a} />`;
    return b === "warning" ? html`<${AddWarning} ctx=${ctx} pid=${a} />` : null;
}
