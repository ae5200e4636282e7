// Full-text search of what this device holds.
import { useState } from "preact/hooks";
import { query as address } from "../api.js";
import { useDraft } from "../draft.js";
import { STATUS, count, nowMs, when, words } from "../format.js";
import { html } from "../html.js";
import { Button, Card, ErrorSummary, Field, Form, Loaded, Page, Rating } from "../parts/index.js";
import { Link } from "../router.js";
import { useLoad } from "../store.js";

const HELP = html`<p class="govuk-body">
        Type a name, a number (NHS number, telephone, reference) or words of a text. Several words may stand anywhere in one case; the last may be
        the beginning of a word; words in “quotation marks” stand together.
    </p>
    <p class="govuk-body">Only what this device holds is searched, and it works without a network. The text of sensitive records is found, and that you found it is noted; it is shown only when you open it.</p>`;

function Hit({ of, now }) {
    return html`<li>
        <${Card} title=${html`<${Link} to=${of.tbl === "record" ? `/case/${of.case_id}/chronology` : `/case/${of.case_id}`}>${of.reference ?? "A case that is not here any more"}<//>`}
            actions=${html`${of.rag && html`<${Rating} rag=${of.rag} />`} ${of.status && (STATUS[of.status] ?? words(of.status))}`}>
            <p class="govuk-body">
                ${words(of.where)}${of.person ? html` about <bdi>${of.person}</bdi>` : ""}${of.at ? `, ${when(of.at, now)}` : ""}
            </p>
            ${of.snippet
                ? html`<p class="govuk-body spoke-prose"><bdi>${of.snippet.map((part, i) => (part.hit ? html`<mark key=${i}>${part.text}</mark>` : part.text))}</bdi></p>`
                : html`<p class="govuk-body">Its text is sensitive: open the case to read it.${of.agency && html` It is of <bdi>${of.agency_name ?? of.agency}</bdi>; that you found it is noted.`}</p>`}
        <//>
    </li>`;
}

// As much as the device looks for at once.
const MOST = 200;
function fault(text) {
    if (!text) return { id: "q", message: "Type what you look for" };
    return new TextEncoder().encode(text).length > MOST ? { id: "q", message: "Use fewer words: this is longer than anything that can be looked for" } : null;
}

// That nothing is here may only be said when everything here was looked at.
function result(found, asked) {
    const places = found.total === 0 ? "Nothing was found so far" : `${count(found.total, "place")} found so far`;
    if (found.filling) return `${places}: this device is still making what it holds ready for searching. Search again in a minute.`;
    if (found.total === 0) return found.truncated ? `${places}, but there is more than could be looked at: add a word.` : `Nothing here has “${asked}” in it.`;
    return `${count(found.total, "place")} found${found.truncated ? "; there are more: add a word" : ""}`;
}

// What was looked for is in no address: the browser would keep that on the disk, for whoever uses it next.
export function SearchPage() {
    const [asked, ask] = useDraft("/search", "");
    const [text, setText] = useState(asked);
    const [error, setError] = useState(null);
    const [turn, setTurn] = useState(0);
    const load = useLoad(asked && !fault(asked) ? address("/api/search", { q: asked }) : null);
    const submit = async () => {
        const bad = fault(text.trim());
        setError(bad);
        setTurn((t) => t + 1);
        if (bad) return undefined;
        if (text.trim() === asked) return load.reload(); // what is here may be another by now
        return ask(text.trim());
    };
    return html`<${ErrorSummary} errors=${error ? [error] : []} turn=${turn} />
        <${Page} title="Search" help=${HELP}>
            <${Form} submit=${submit}>
                <${Field} id="q" label="What do you look for?" value=${text} onChange=${setText} error=${error?.message} />
                <${Button}>Search this device<//>
            <//>
            ${asked && fault(asked) && html`<p class="govuk-body spoke-empty">${fault(asked).message}.</p>`}
            ${asked && !fault(asked) &&
            html`<${Loaded} load=${load} what="what was found">
                ${(found) => html`<p class="govuk-body" role="status">
                        ${result(found, asked)}
                    </p>
                    <ol class="spoke-cards">${found.hits.map((h) => html`<${Hit} key=${`${h.tbl} ${h.id}`} of=${h} now=${nowMs()} />`)}</ol>`}
            <//>`}
        <//>`;
}
