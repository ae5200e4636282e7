// A new referral. It works with no network: what is urgent is said by telephone as well, and the page says so.
import { useState } from "preact/hooks";
import { act } from "../api.js";
import { useDraft } from "../draft.js";
import { RAGS, ragWord } from "../format.js";
import { html } from "../html.js";
import { Button, ErrorSummary, Field, Form, Notice, Page, Radios, Rating, Select, Textarea } from "../parts/index.js";
import { roleWords } from "../case/words.js";
import { Link, go, wishFocus } from "../router.js";
import { Phone } from "../status.js";
import { useReference, useSession, useSync } from "../store.js";
import { PersonFields, newPerson, personBody, personFaults } from "./people.js";
import { Sent } from "./sent.js";

const HELP = html`<p class="govuk-body">
        Use this when your agency is worried about a child or an adult at risk and no case of theirs is open. If one is open, add to
        that case.
    </p>
    <p class="govuk-body">
        It is saved on this device at once, and goes to the MASH with the next contact. The MASH then decides how urgent it is, asks
        the partners what they know, and tells your agency the outcome here.
    </p>`;
const MEANS = {
    red: "Somebody may come to serious harm today. Telephone as well.",
    amber: "Serious, and it cannot wait longer than a day.",
    green: "Help is needed, and nobody is in danger now.",
    blue: "For information, or for advice.",
};

const start = (areas) => ({
    area: areas.length === 1 ? areas[0] : "", subject_kind: "child", source: "", referrer: "", external_ref: "", primary_need: "",
    presenting_issue: "", summary: "", rag: "", rag_reason: "", people: [newPerson("child")],
});

function faultsOf(v, areas) {
    const found = [];
    const need = (id, ok, message) => ok || found.push({ id, message });
    need("area", v.area || areas.length === 0, "Choose the area");
    need("source", v.source, "Choose who referred");
    need("primary_need", v.primary_need, "Choose the primary need");
    need("summary", v.summary.trim(), "Say what has happened");
    need("person-0-role", v.people.some((p) => p.role === v.subject_kind), `Say whom it is about: choose “${roleWords(v.subject_kind)}” for one of the people`);
    v.people.forEach((p, i) => found.push(...personFaults(p, i)));
    need("rag", v.rag, "Choose how urgent this is");
    need("rag_reason", !v.rag || v.rag_reason.trim(), "Say why you rate it so");
    return found;
}
const text = (value) => value.trim() || null;
function bodyOf(v) {
    return {
        area: v.area, source: v.source, primary_need: v.primary_need, presenting_issue: text(v.presenting_issue), summary: v.summary.trim(),
        subject_kind: v.subject_kind, rag: v.rag, rag_reason: v.rag_reason.trim(), referrer: text(v.referrer),
        external_ref: text(v.external_ref), people: v.people.map(personBody),
    };
}

// Whoever has no name yet is whom it is about.
const about = (v, subject_kind) => ({
    ...v, subject_kind,
    people: v.people.map((p) => (p.role === v.subject_kind && !p.given_names && !p.family_name ? { ...p, role: subject_kind } : p)),
});

function AboutReferral({ v, set, change, areas, codes, error }) {
    const items = (list) => (codes?.[list] || []).map((c) => ({ value: c.code, text: c.label }));
    return html`<h2 class="govuk-heading-m">What this is about</h2>
        <${Radios} id="subject_kind" label="Whom are you worried about?" inline value=${v.subject_kind} onChange=${(kind) => change((was) => about(was, kind))}
            items=${[{ value: "child", text: "A child or children" }, { value: "adult", text: "An adult at risk" }]} />
        ${areas.length !== 1 &&
        html`<${Select} id="area" label="Area" hint="Where the person lives, or is now." value=${v.area} onChange=${set("area")} error=${error("area")}
            items=${areas.map((a) => ({ value: a, text: a }))} />`}
        <${Select} id="source" label="Who referred" hint="Who told your agency. The list is that of the children in need census." value=${v.source}
            onChange=${set("source")} error=${error("source")} items=${items("referral_source")} />
        <${Field} id="referrer" label="Name of the person who referred" optional hint="Leave it empty if they must not be named." value=${v.referrer} onChange=${set("referrer")} />
        <${Field} id="external_ref" label="Your own reference" optional width="20" value=${v.external_ref} onChange=${set("external_ref")} />
        <${Select} id="primary_need" label="Primary need" value=${v.primary_need} onChange=${set("primary_need")} error=${error("primary_need")} items=${items("primary_need")} />
        <${Field} id="presenting_issue" label="Presenting issue" optional hint="In a few words, such as: domestic abuse, missing from home" value=${v.presenting_issue}
            onChange=${set("presenting_issue")} />
        <${Textarea} id="summary" label="What has happened" hint="What was seen or said, by whom and when, and what you are worried may happen." rows=${6}
            value=${v.summary} onChange=${set("summary")} error=${error("summary")} />`;
}

function People({ v, change, error }) {
    const put = (i) => (p) => change((was) => ({ ...was, people: was.people.map((old, j) => (j === i ? p : old)) }));
    const remove = (i) => () => change((was) => ({ ...was, people: was.people.filter((_, j) => j !== i) }));
    const add = () => {
        const at = v.people.length;
        change((was) => ({ ...was, people: [...was.people, newPerson("other")] }));
        requestAnimationFrame(() => document.getElementById(`person-${at}-role`)?.focus());
    };
    return html`<h2 class="govuk-heading-m">Who is involved</h2>
        <p class="govuk-body">Everybody in the household or in what happened, related or not. You can add more later.</p>
        ${v.people.map((p, i) => html`<${PersonFields} key=${p.key} index=${i} of=${p} set=${put(i)} remove=${v.people.length > 1 ? remove(i) : null} error=${error} />`)}
        <${Button} type="button" kind="secondary" onClick=${add}>Add another person<//>`;
}

function FirstRating({ v, set, error, phone }) {
    return html`<h2 class="govuk-heading-m">How urgent it is</h2>
        <${Radios} id="rag" label="Your first rating" hint="The MASH may rate it differently; both ratings are kept." value=${v.rag} onChange=${set("rag")} error=${error("rag")}
            items=${RAGS.map((r) => ({ value: r, text: html`<${Rating} rag=${r} />`, hint: MEANS[r] }))} />
        <${Textarea} id="rag_reason" label="Why you rate it so" rows=${3} value=${v.rag_reason} onChange=${set("rag_reason")} error=${error("rag_reason")} />
        ${v.rag === "red" &&
        html`<div role="status"><${Notice} kind="warning" title="Telephone as well">
            A red referral must not wait for this device. When you have saved it, ring: <${Phone} phone=${phone} />.
            If somebody is in danger now: 999. ${ragWord("red")} referrals that are not sent yet stand at the top of every page.
        <//></div>`}`;
}

export function NewPage() {
    const session = useSession();
    const reference = useReference();
    const sync = useSync();
    const areas = reference?.areas?.length ? reference.areas.filter((a) => a !== "*") : session?.areas || [];
    const [v, change, forget] = useDraft("/new", () => start(session?.areas?.length === 1 ? session.areas : areas));
    const [errors, setErrors] = useState([]);
    const [problem, setProblem] = useState(null);
    const [turn, setTurn] = useState(0);
    const [busy, setBusy] = useState(false);
    const [sent, setSent] = useState(null);
    const set = (name) => (value) => change((was) => ({ ...was, [name]: value }));
    const error = (id) => errors.find((e) => e.id === id)?.message || null;
    const submit = async () => {
        const found = faultsOf(v, areas);
        setErrors(found);
        setProblem(null);
        setTurn((t) => t + 1);
        if (found.length) return;
        setBusy(true);
        try {
            const answer = await act("case-new", bodyOf(v));
            forget();
            wishFocus();
            scrollTo(0, 0);
            setSent({ answer, rag: v.rag });
        } catch (e) {
            setProblem(e);
            setBusy(false);
        }
    };
    const startAgain = () => {
        forget();
        go("/board");
    };
    if (sent) return html`<${Sent} of=${sent.answer} rag=${sent.rag} />`;
    return html`<${ErrorSummary} errors=${errors} error=${problem} turn=${turn} />
        <${Page} title="New referral" lead="Tell the MASH about a child or an adult who may be at risk." help=${HELP}>
            <p class="govuk-body"><strong>In an emergency telephone 999.</strong> To talk to the MASH: <${Phone} phone=${session?.phone} /></p>
            ${sync && !sync.online && html`<${Notice} kind="warning">This device is offline. What you save here waits until there is contact with the MASH.<//>`}
            <${Form} submit=${submit} className="spoke-form">
                <${AboutReferral} v=${v} set=${set} change=${change} areas=${areas} codes=${reference?.codes} error=${error} />
                <${People} v=${v} change=${change} error=${error} />
                <${FirstRating} v=${v} set=${set} error=${error} phone=${session?.phone} />
                <h2 class="govuk-heading-m">What happens next</h2>
                <p class="govuk-body">
                    ${sync && !sync.online ? "It waits on this device until there is contact, and then goes to the MASH by itself." : "It is saved on this device and goes to the MASH within seconds."}${" "}
                    The MASH checks your rating, asks the partners what they know, and tells your agency the outcome. The next page says whether it has left.
                </p>
                <div class="spoke-row">
                    <${Button} busy=${busy && "Saving …"}>Save and send the referral<//>
                    <${Link} to="/board">Back to the board, keeping what I typed<//>
                    <${Button} type="button" kind="secondary" onClick=${startAgain}>Throw away what I typed<//>
                </div>
            <//>
        <//>`;
}
