// Who opened what this agency wrote, and why this device sees what it sees: asked of the MASH server, which answers at
// a contact.
import { useEffect, useState } from "preact/hooks";
import { get, query } from "../api.js";
import { html } from "../html.js";
import { Button, ErrorSummary, Loaded } from "../parts/index.js";
import { Link } from "../router.js";
import { contactNow, useLoad } from "../store.js";
import { Line, List, Part, When, agencyOf } from "./bits.js";
import { kindWords } from "./words.js";

// Lines of one heading together, in the order they came.
function grouped(lines) {
    const groups = [];
    for (const line of lines) {
        const heading = line.heading ?? "";
        if (groups.at(-1)?.heading !== heading) groups.push({ heading, lines: [] });
        groups.at(-1).lines.push(line.text);
    }
    return groups;
}

const WAIT_MS = 3000;
const isWaiting = (reply) => Boolean(reply.asked_at) && (!reply.replied_at || Date.parse(reply.asked_at) > Date.parse(reply.replied_at));

function Reply({ reply, now, none }) {
    if (!reply.asked_at && !reply.replied_at) return html`<p class="govuk-body">This has not been asked yet.</p>`;
    return html`${isWaiting(reply) && html`<p class="govuk-inset-text" role="status">Asked <${When} mid at=${reply.asked_at} now=${now} />. The answer comes with a contact with the MASH.</p>`}
        ${
            reply.replied_at &&
            html`<p class="govuk-body">The MASH server answered <${When} mid at=${reply.hub_at ?? reply.replied_at} now=${now} />.</p>
            ${reply.lines.length === 0 && html`<p class="govuk-body">${none}</p>`}
            ${grouped(reply.lines).map(
                (g, i) => html`<section key=${i}>
                    ${g.heading && html`<h3 class="govuk-heading-s">${g.heading}</h3>`}
                    <ul class="govuk-list govuk-list--bullet">${g.lines.map((text, k) => html`<li key=${k}>${text}</li>`)}</ul>
                </section>`,
            )}`
        }`;
}

/* A question to the MASH server and what it answered. of: of the address; first(reply): what stands before the answer;
 * none: what an answer without lines means. */
export function Asking({ path, of = {}, now, button, kind, first, none = "Nobody else could see it." }) {
    const [waiting, setWaiting] = useState(false);
    const load = useLoad(query(path, of), { every: waiting ? WAIT_MS : 0 }); // an answer changes nothing in a case, so no event tells of it
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState({ error: null, turn: 0 });
    useEffect(() => setWaiting(load.data !== null && isWaiting(load.data)), [load.data]);
    async function ask() {
        if (busy) return;
        setBusy(true);
        try {
            await get(query(path, { ...of, ask: true }));
            setProblem({ error: null, turn: 0 });
            await load.reload();
            contactNow().catch(() => {}); // offline: the question waits, as the page says
        } catch (error) {
            setProblem((was) => ({ error, turn: was.turn + 1 }));
        } finally {
            setBusy(false);
        }
    }
    return html`<${ErrorSummary} ...${problem} />
        <${Loaded} load=${load} what="the answer">${(reply) => html`${first?.(reply)}<${Reply} reply=${reply} now=${now} none=${none} />`}<//>
        <${Button} type="button" kind=${kind} busy=${busy && "One moment …"} onClick=${ask}>${button}<//>`;
}

function Question({ ctx, kind, tbl, rid, title, lead, button }) {
    return html`<${Part} title=${title} of=${ctx.data.case}>
        <p class="govuk-body">${lead}</p>
        <${Asking} path=${`/api/${kind}/${encodeURIComponent(tbl)}/${encodeURIComponent(rid)}`} now=${ctx.now} button=${button} />
    <//>`;
}

export function WhoOpened({ ctx, tbl, rid }) {
    return html`<${Question}
        ctx=${ctx} kind="who-saw" tbl=${tbl} rid=${rid} title="Who opened this record"
        lead="Which places could see it, on which devices it was, since when, and whether those that lost it confirmed that they forgot it."
        button="Ask the MASH who could see it"
    />`;
}
export function WhyHere({ ctx, tbl, rid }) {
    return html`<${Question}
        ctx=${ctx} kind="explain" tbl=${tbl} rid=${rid} title="Why do we see this?"
        lead="By which rule this is on your device, since when and on what basis, and who else sees it." button="Ask the MASH why we see this"
    />`;
}

export function Opened({ ctx }) {
    const { at, session, data, now } = ctx;
    const load = useLoad(`/api/cases/${ctx.id}/chronology?agency=${encodeURIComponent(session.agency)}`);
    const own = (got) => got.entries.filter((e) => e.tbl === "record" && e.agency === session.agency);
    return html`<${Part} title="Who opened it" of=${data.case}>
        <p class="govuk-body">
            The MASH server notes who opens sensitive records, or finds them by searching for their words. You may ask it, for each record of your agency, who could see it and on which devices it was. The
            answer comes with the next contact.
        </p>
        <p class="govuk-body"><${Link} to=${`${at}/opened/case_file/${data.case.id}/why`}>Why do we see this case?<//></p>
        <h3 class="govuk-heading-s">Records of your agency in this case</h3>
        <${Loaded} load=${load} what="your records">
            ${(got) =>
                html`<${List} items=${own(got)} none="Your agency has written no record in this case." each=${(e) => html`<${Line}>
                <strong>${e.title || kindWords(e.kind)}</strong> ${agencyOf(e)} ${html`<${When} at=${e.written_at ?? e.at} now=${now} />`}
                <${Link} to=${`${at}/opened/record/${e.id}`}>Who opened this record<span class="govuk-visually-hidden">${`: ${e.title || kindWords(e.kind)}`}</span><//>
            <//>`} />`}
        <//>
    <//>`;
}
