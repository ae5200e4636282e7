// Who took part in a meeting: people whom the MASH server knows, and others by name. A draft of its own, beside the
// form's.
import { useDraft } from "../draft.js";
import { agencyName } from "../format.js";
import { html } from "../html.js";
import { Button, Checkbox, Field, Select } from "../parts/index.js";

const AT_MOST = 100; // what one meeting takes
const EMPTY = { practitioner: "", other: "", present: true, dissent: "" };
const isBlank = (r) => !r.practitioner && !r.other.trim() && !r.dissent.trim();

// The rows as the act takes them. Who is not known to the server is named in the words beside the empty place.
export const attendanceOf = (rows) =>
    rows
        .filter((r) => !isBlank(r))
        .map((r) =>
            r.practitioner && r.practitioner !== "other"
                ? { practitioner: r.practitioner, present: r.present, dissent: r.dissent.trim() || null }
                : {
                      practitioner: null,
                      present: r.present,
                      dissent: [r.other.trim(), r.dissent.trim()].filter(Boolean).join(": did not agree: ") || null,
                  },
        );
export function attendanceFault(rows) {
    const found = rows.findIndex((r) => r.practitioner === "other" && !r.other.trim());
    if (found >= 0) return { id: `who-${found}-other`, name: "who", message: "Write the name of each person who is not in the list" };
    const twice = rows.map((r) => r.practitioner).find((p, i, all) => p && p !== "other" && all.indexOf(p) !== i);
    return twice ? { id: "who-0", name: "who", message: "Somebody is named twice among those who took part" } : null;
}

function Row({ row, i, people, change, remove }) {
    const id = `who-${i}`;
    const put = (part) => (v) => change({ ...row, [part]: v });
    return html`<fieldset class="govuk-fieldset case-attendee">
        <legend class="govuk-visually-hidden">${`Person ${i + 1}`}</legend>
        <${Select} id=${id} label="Who" small value=${row.practitioner} items=${people} onChange=${put("practitioner")} />
        ${row.practitioner === "other" && html`<${Field} id=${`${id}-other`} label="Name and agency" small value=${row.other} onChange=${put("other")} />`}
        <${Checkbox} id=${`${id}-present`} label="Was there" tiny value=${row.present} onChange=${put("present")} />
        <${Field} id=${`${id}-dissent`} label="What did they not agree with?" small optional value=${row.dissent} onChange=${put("dissent")} />
        <${Button} type="button" kind="secondary" onClick=${remove}>Remove<span class="govuk-visually-hidden"> person ${i + 1}</span><//>
    </fieldset>`;
}

export function Attendance({ ctx, name, children }) {
    const [rows, setRows, forget] = useDraft(`attendance ${name}`, () => [{ ...EMPTY, practitioner: ctx.session.person?.id ?? "" }]);
    const people = [...(ctx.reference?.people ?? [])]
        .sort((a, b) => String(a.name).localeCompare(String(b.name), "en-GB"))
        .map((p) => ({ value: p.id, text: `${p.name}, ${agencyName(ctx.reference, p.agency)}` }));
    const choices = [...people, { value: "other", text: "Somebody who is not in this list" }];
    const picker = html`<fieldset class="govuk-fieldset case-attendance">
        <legend class="govuk-fieldset__legend govuk-fieldset__legend--s">Who was asked, and who took part?</legend>
        ${rows.map(
            (
                row,
                i,
            ) => html`<${Row} key=${i} row=${row} i=${i} people=${choices} change=${(next) => setRows((was) => was.map((r, k) => (k === i ? next : r)))}
                remove=${() => setRows((was) => was.filter((_, k) => k !== i))} />`,
        )}
        ${rows.length < AT_MOST && html`<${Button} type="button" kind="secondary" onClick=${() => setRows((was) => [...was, { ...EMPTY }])}>Add another person<//>`}
    </fieldset>`;
    return children(rows, picker, forget);
}
