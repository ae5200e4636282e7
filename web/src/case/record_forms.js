// Adding a record, sharing one without consent, marking one as a mistake.
import { act } from "../api.js";
import { londonParts } from "../format.js";
import { html } from "../html.js";
import { Button, Loaded, Prose } from "../parts/index.js";
import { Link } from "../router.js";
import { useLoad } from "../store.js";
import { ActForm, bodyOf } from "./act_form.js";
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

// A record as its form has it.
const typed = (r) => ({
    kind: r.kind ?? "",
    title: r.title ?? "",
    body: r.body ?? "",
    occurred_at: r.occurred_at ? londonParts(r.occurred_at) : { date: "", time: "" },
    sensitivity: r.sensitivity ?? "",
    needs_consent: Boolean(r.needs_consent),
    handling: r.handling ?? "",
});
function changeFields(data, now) {
    const start = typed(now.record);
    const kinds = recordKindItems.some(([k]) => k === start.kind) ? recordKindItems : [...recordKindItems, [start.kind, kindWords(start.kind)]];
    return recordFields(data)
        .filter((f) => f.name !== "person_id")
        .map((f) => ({ ...f, value: start[f.name], ...{ kind: { items: kinds }, body: { need: start.body && f.need }, occurred_at: { hint: null } }[f.name] }))
        .concat({ name: "seen", kind: "text", shown: () => false, value: now });
}
// What one typed stays; what one left alone becomes what somebody else wrote meanwhile.
function onTop(values, now) {
    const [was, is] = [typed(values.seen.record), typed(now.record)];
    const mine = Object.keys(is).map((k) => [k, JSON.stringify(values[k]) === JSON.stringify(was[k]) ? is[k] : values[k]]);
    return { ...Object.fromEntries(mine), seen: now };
}

/* Only what was changed is sent, bound to what was on the page (`shown`): where somebody else changed the record meanwhile
 * nothing is saved before it was read. */
function Change({ ctx, now, reload }) {
    const fields = changeFields(ctx.data, now);
    const choice = (v) => now.choices.find((c) => c.sensitivity === v.sensitivity && c.needs_consent === v.needs_consent);
    const body = (v, plain) => {
        const before = bodyOf(fields, { ...typed(v.seen.record), seen: null });
        const changed = Object.entries(plain).filter(([k, value]) => value !== before[k]);
        return { id: now.record.id, shown: v.seen.shown, ...Object.fromEntries(changed.map(([k, value]) => [k, value ?? ""])) };
    };
    const run = (sent) =>
        act("record-set", sent).catch((error) => {
            reload();
            throw error;
        });
    const above = (v, set) =>
        now.shown !== v.seen.shown &&
        html`<div class="case-preview" role="status">
            <h3 class="govuk-heading-s">Somebody changed this since you opened it</h3>
            <p class="govuk-body">Now it says:</p>
            <p class="govuk-body"><strong>${now.record.title}</strong></p>
            <${Prose} text=${now.record.body} />
            <p class="govuk-body">${sightWords(now.seen_by)}</p>
            <div class="govuk-button-group">
                <${Button} type="button" onClick=${() => set((was) => onTop(was, now))}>I have read it: go on with my change<//>
                <${Button} type="button" kind="secondary" onClick=${() => set({ ...typed(now.record), seen: now })}>Start again from what it says now<//>
            </div>
        </div>`;
    return html`<${ActForm}
        name=${`record-set ${now.record.id}`} fields=${fields} body=${body} run=${run} above=${above} send="Save this change" cancel=${`${ctx.at}/chronology`}
        next=${(v) => `${sightWords(choice(v)?.seen_by) ?? ""} Whoever sees it has your words after the next contact with the MASH.`}
        done=${(a) => ctx.finish("/chronology", "Your record is changed", { ...a, notes: [sightWords(a.seen_by), ...a.notes].filter(Boolean) })}
    >
        ${(v) =>
            [choice(v)?.says, ...now.notes].filter(Boolean).map((text) => html`<p class="govuk-inset-text" role="status" key=${text}>${text}</p>`)}
    <//>`;
}
export function ChangeRecord({ ctx, rid }) {
    const load = useLoad(`/api/records/${encodeURIComponent(rid)}`);
    return html`<${Part} title="Change your record" of=${ctx.data.case}>
        <${Loaded} load=${load} what="the record">${(now) => html`<${Change} ctx=${ctx} now=${now} reload=${load.reload} />`}<//>
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
            Nothing is deleted. The entry leaves the pages of other agencies; your agency and the MASH keep it with your reason.
            ${tbl === "record" ? "If only something in it is wrong, change it instead." : "To correct it, mark it as a mistake and write it anew."}
        </p>
        ${tbl === "record" ? html`<${Chosen} ctx=${ctx} tbl=${tbl} rid=${rid}>${form}<//>` : form}
    <//>`;
}
