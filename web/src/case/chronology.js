// Everything that all agencies said, in one line of time: when it happened and when it was written, by whom, and who
// sees it.
import { useState } from "preact/hooks";
import { query } from "../api.js";
import { count } from "../format.js";
import { html } from "../html.js";
import { ButtonLink, Loaded, Prose, Select, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { useLoad } from "../store.js";
import { Line, Part, When, agencyOf } from "./bits.js";
import { Days, daysWords } from "./days.js";
import { Withheld } from "./overview.js";
import { kindWords, sensitivityWords, sightWords } from "./words.js";

const tones = { open: "blue", sensitive: "orange", restricted: "red" };
const titleOf = (e) => e.title || kindWords(e.kind);
const nameOf = (p) => (p && typeof p === "object" ? p.name : p);

// The choices come from all that is here, so that one that leaves nothing can be taken back.
function choices(entries, key, text) {
    const found = new Map();
    for (const e of entries) if (e[key]) found.set(e[key], { value: e[key], text: text(e) });
    return [...found.values()].sort((a, b) => a.text.localeCompare(b.text, "en-GB"));
}

// What may be done with an entry from here: for most entries, nothing.
function handles(entry, ctx) {
    const { at, data, session } = ctx;
    const { may } = data;
    if (entry.tbl !== "record") return [];
    const own = entry.agency === session.agency;
    const waits = own && entry.seen_by === "nobody_consent";
    return [
        waits && may["record-override"] !== false && [`${at}/chronology/record/${entry.id}/override`, "Share without consent"],
        waits && [`${at}/consent`, "Note consent"],
        own && entry.seen_by !== "all" && may["release-grant"] !== false && [`${at}/permission/tell/${entry.id}`, "Tell one agency"],
        own && may["record-set"] !== false && [`${at}/chronology/record/${entry.id}/change`, "Change this record"],
        own && may.void !== false && [`${at}/chronology/record/${entry.id}/mistake`, "Mark as a mistake"],
        own && [`${at}/opened/record/${entry.id}`, "Who opened this record"],
        [`${at}/opened/record/${entry.id}/why`, "Why do we see this?"],
    ].filter(Boolean);
}

function Entry({ entry, ctx }) {
    const { now } = ctx;
    const apart = entry.at && entry.written_at && Math.abs(Date.parse(entry.written_at) - Date.parse(entry.at)) > 60000;
    const links = handles(entry, ctx);
    const sight = sightWords(entry.seen_by);
    return html`<li class=${`moj-timeline__item case-entry case-entry--${entry.sensitivity || "open"}`}>
        <div class="moj-timeline__header">
            <h3 class="moj-timeline__title">${titleOf(entry)}</h3>${" "}
            <p class="moj-timeline__byline">${agencyOf(entry)}${nameOf(entry.author) ? `, ${nameOf(entry.author)}` : ""}</p>
        </div>
        <p class="moj-timeline__date">
            ${entry.at ? html`<${When} at=${entry.at} now=${now} />` : "When it happened is not said"}
            ${(apart || !entry.at) && entry.written_at && html`<span class="case-quiet">${" "}(written <${When} mid at=${entry.written_at} now=${now} />)</span>`}
        </p>
        <${Line}>
            ${kindWords(entry.kind)}
            ${entry.sensitivity && html`<${Tag} tone=${tones[entry.sensitivity] || "grey"}>${sensitivityWords(entry.sensitivity)}<//>`}
            ${nameOf(entry.person) && `About ${nameOf(entry.person)}`}
            ${entry.unsent && html`<${Unsent} of=${entry} />`}
        <//>
        ${entry.body && html`<${Prose} text=${entry.body} className="moj-timeline__description" />`}
        ${entry.handling && html`<p class="govuk-body-s"><strong>How it may be used:</strong> ${entry.handling}</p>`}
        ${sight && html`<p class="govuk-body-s case-sight">${sight}</p>`}
        ${
            links.length > 0 &&
            html`<ul class="case-handles">
            ${links.map(([to, text]) => html`<li key=${text}><${Link} to=${to}>${text}<span class="govuk-visually-hidden">${`: ${titleOf(entry)}`}</span><//></li>`)}
        </ul>`
        }
    </li>`;
}

function Add({ ctx }) {
    if (ctx.data.may["record-add"] === false)
        return html`<p class="govuk-body">
            Your agency reads this case and adds nothing to it. If you know something that matters, ring the MASH.
        </p>`;
    return html`<${ButtonLink} to=${`${ctx.at}/chronology/add`}>Add what your agency knows<//>`;
}

export function Chronology({ ctx }) {
    const [by, setBy] = useState({ agency: "", kind: "", sensitivity: "", from: "", to: "" });
    const filtered = Object.values(by).some(Boolean);
    const path = `/api/cases/${ctx.id}/chronology`;
    const all = useLoad(path);
    const some = useLoad(filtered ? query(path, by) : null);
    const from = all.data?.entries ?? [];
    const pick = (name, label, items) =>
        html`<${Select} id=${`only-${name}`} label=${label} small empty="All" value=${by[name]} items=${items}
            onChange=${(v) => setBy((was) => ({ ...was, [name]: v }))} />`;
    return html`<${Part} title="Chronology" of=${ctx.data.case}>
        <p class="govuk-body">
            What all agencies have said, oldest first. Each sensitive entry that you see here is noted as opened by you.
        </p>
        <${Add} ctx=${ctx} />
        <${Withheld} data=${ctx.data} at=${ctx.at} />
        <div class="case-filters" role="group" aria-label="Show only some entries">
            ${pick(
                "agency",
                "Agency",
                choices(from, "agency", (e) => agencyOf(e)),
            )}
            ${pick(
                "kind",
                "Kind",
                choices(from, "kind", (e) => kindWords(e.kind)),
            )}
            ${pick(
                "sensitivity",
                "Who may see it",
                choices(from, "sensitivity", (e) => sensitivityWords(e.sensitivity)),
            )}
        </div>
        <${Days} onShow=${(days) => setBy((was) => ({ ...was, ...days }))} />
        <${Loaded} load=${filtered ? some : all} what="the chronology">
            ${(got) => html`<p class="govuk-body" role="status">
                    ${filtered ? `Showing ${[`${got.entries.length} of ${count(from.length, "entry", "entries")}`, daysWords(by)].filter(Boolean).join(", ")}.` : `${count(got.total, "entry", "entries")}.`}
                    ${got.total > got.entries.length && !filtered ? ` The first ${got.entries.length} are shown: choose an agency or kind to see others.` : ""}
                </p>
                ${
                    got.entries.length
                        ? html`<ol class="moj-timeline case-timeline">
                          ${got.entries.map((e) => html`<${Entry} key=${`${e.tbl} ${e.id} ${e.kind}`} entry=${e} ctx=${ctx} />`)}
                      </ol>`
                        : html`<p class="govuk-body">${filtered ? "Nothing here fits these choices." : "Nothing has been written yet."}</p>`
                }`}
        <//>
    <//>`;
}
