// Adding a record, sharing one without consent, marking one as a mistake.
import { html } from "../html.js";
import { Loaded, Prose } from "../parts/index.js";
import { Link } from "../router.js";
import { useLoad } from "../store.js";
import { ActForm } from "./act_form.js";
import { Part } from "./bits.js";
import { kindWords, recordKindItems, sightWords } from "./words.js";

export const sensitivityField = {
    name: "sensitivity",
    kind: "radios",
    label: "Who may see it?",
    need: "Choose who may see it",
    items: [
        ["open", "Not sensitive: everybody who takes part", "It stands in the chronology of every agency that takes part."],
        [
            "sensitive",
            "Sensitive: your agency and the MASH",
            "Other agencies have to ask you. You decide each time whether they are told, and how much.",
        ],
        ["restricted", "Only your agency", "Nobody else sees it, not even the MASH."],
    ],
};
export const consentField = {
    name: "needs_consent",
    kind: "yes",
    label: "It may be shared only with consent",
    hint: "Until everybody whom it is about has consented, nobody outside your agency sees it. If a child or adult may be at risk of significant harm, you may share without consent.",
};
export const analysisHint =
    "What you know and what you make of it, in your own words. Do not paste from your own system: say what matters here, and why.";
export const personItems = (data) => data.people.map((p) => [p.id, p.name || "Name not known"]);

const recordFields = (data) => [
    {
        name: "kind",
        kind: "select",
        label: "What kind of information is it?",
        items: recordKindItems,
        need: "Choose what kind of information it is",
    },
    {
        name: "title",
        kind: "text",
        label: "In one line",
        hint: "Such as “Missed three antenatal appointments”.",
        need: "Say in one line what it is about",
    },
    {
        name: "body",
        kind: "area",
        rows: 8,
        label: "What you know, and what it means",
        hint: analysisHint,
        need: "Write what you know and what it means",
    },
    { name: "person_id", kind: "select", label: "Whom is it about?", items: personItems(data), empty: "The family, or the whole case" },
    { name: "occurred_at", kind: "when", label: "When did it happen?", hint: "Leave this empty if it is how things are now.", past: true },
    sensitivityField,
    { ...consentField, shown: (v) => v.sensitivity !== "restricted" },
    {
        name: "handling",
        kind: "text",
        label: "How may it be used?",
        hint: "Such as “Do not tell the father that this came from us”.",
        optional: true,
    },
];

function recordNext(v) {
    if (v.sensitivity === "restricted") return "The record stays with your agency. No other agency can see it.";
    if (v.needs_consent) return "The record waits for consent. The next page says whether anybody else can see it, and what you can do.";
    if (v.sensitivity === "sensitive") return "The MASH sees it after your next contact. You are asked before anybody else is told.";
    return "Everybody who takes part sees it after their next contact with the MASH.";
}
export function sendRecordWords(v) {
    if (v.sensitivity === "restricted") return "Keep this record for your agency";
    return v.sensitivity === "sensitive" ? "Send this record to the MASH" : "Share this record with everybody who takes part";
}

export function AddRecord({ ctx }) {
    return html`<${Part} title="Add what your agency knows" of=${ctx.data.case}>
        <${ActForm}
            name=${`record-add ${ctx.id}`} act="record-add" fixed=${{ case_id: ctx.data.case.id }} fields=${recordFields(ctx.data)}
            send=${sendRecordWords} next=${recordNext} cancel=${`${ctx.at}/chronology`}
            done=${(a) => ctx.finish("/chronology", "Your record was added", { ...a, notes: [sightWords(a.seen_by), ...(a.notes ?? [])].filter(Boolean) })}
        />
    <//>`;
}

// The entry that a form is about, as the chronology has it.
function Chosen({ ctx, tbl, rid, children }) {
    const load = useLoad(`/api/cases/${ctx.id}/chronology`);
    return html`<${Loaded} load=${load} what="the entry">
        ${(got) => {
            const entry = got.entries.find((e) => e.tbl === tbl && e.id === rid);
            if (!entry)
                return html`<p class="govuk-body">
                    This entry is not here any more. <${Link} to=${`${ctx.at}/chronology`}>Back to the chronology<//>
                </p>`;
            return html`<blockquote class="case-quote">
                    <p class="govuk-body"><strong>${entry.title || kindWords(entry.kind)}</strong></p>
                    <${Prose} text=${entry.body} />
                </blockquote>
                ${children}`;
        }}
    <//>`;
}

export function OverrideRecord({ ctx, rid }) {
    const reason = {
        name: "reason",
        kind: "area",
        rows: 4,
        label: "Why must it be shared without consent?",
        hint: "Whom it protects and from what, and why consent was not or could not be had. It stays on record with your name.",
        need: "Say why it must be shared without consent",
    };
    return html`<${Part} title="Share a record without consent" of=${ctx.data.case}>
        <p class="govuk-body">
            Nobody outside your agency can see this record: it waits for consent. You may share it without consent where a child or adult
            may be at risk of significant harm, or where asking would raise the risk. Your agency decides, for this one record.
        </p>
        <${Chosen} ctx=${ctx} tbl="record" rid=${rid}>
            <${ActForm}
                name=${`override ${rid}`} act="record-override" fixed=${{ id: rid }} fields=${[reason]} grave
                send="Share this record without consent" cancel=${`${ctx.at}/chronology`}
                next="Those for whom you marked it see it after their next contact. If it is safe, tell the family that you shared it."
                done=${(a) => ctx.finish("/chronology", "The record is shared without consent, with your reason", a)}
            />
        <//>
    <//>`;
}

export function Mistake({ ctx, tbl, rid }) {
    const reason = {
        name: "reason",
        kind: "area",
        rows: 3,
        label: "What is wrong with it?",
        hint: "Such as “About another child of the same name”.",
        need: "Say what is wrong with it",
    };
    const back = tbl === "record" ? "/chronology" : "/people";
    const form = html`<${ActForm}
        name=${`void ${rid}`} act="void" fixed=${{ tbl, id: rid }} fields=${[reason]} grave send="Mark as a mistake"
        cancel=${`${ctx.at}${back}`} next="The devices of other agencies forget it at their next contact, and confirm that."
        done=${(a) => ctx.finish(back, "The entry is marked as a mistake", a)}
    />`;
    return html`<${Part} title="Mark an entry as a mistake" of=${ctx.data.case}>
        <p class="govuk-body">
            Nothing is deleted. The entry leaves the pages of other agencies; your agency and the MASH keep it with your reason. To correct
            it, mark it as a mistake and write it anew.
        </p>
        ${tbl === "record" ? html`<${Chosen} ctx=${ctx} tbl=${tbl} rid=${rid}>${form}<//>` : form}
    <//>`;
}
