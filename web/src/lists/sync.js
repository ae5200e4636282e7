// Contact with the MASH: when it was, what waits on this device, what is not accepted; and the way by USB stick.
import { useState } from "preact/hooks";
import { ApiError, act, call, download, get } from "../api.js";
import { ago, bytes, count, day, left, nowMs, when } from "../format.js";
import { html } from "../html.js";
import { Button, Details, Done, ErrorSummary, Facts, FileField, Form, Loaded, Notice, Page, Table, Tag } from "../parts/index.js";
import { Link } from "../router.js";
import { RedUnsent } from "../status.js";
import { contactNow, useLoad, useNow } from "../store.js";

const HELP = html`<p class="govuk-body">
        What you write is saved on this device at once. It goes to the MASH with the next contact, by itself, as soon as there is a
        network. This page says when that was, what still waits, and what the MASH did with what you sent.
    </p>
    <p class="govuk-body">No network for days? Carry the changes on a USB stick, below: it is the same, and as safe.</p>`;
const STATE = {
    unsent: { tone: "yellow", text: "Not sent yet" },
    applied: { tone: "green", text: "Taken in" },
    merged: { tone: "blue", text: "Taken in with another's" },
    held: { tone: "orange", text: "Not accepted yet" },
    waits: { tone: "orange", text: "Waits for another change" },
    fault: { tone: "red", text: "Could not be read" },
    dismissed: { tone: "grey", text: "Not accepted" },
};

const KEPT = {
    text: "Its text is kept here.",
    sealed: "A sealed copy stays here until the MASH’s backup has it.",
    none: "No copy is kept here.",
};

function How({ of, now }) {
    return html`<${Facts} rows=${[
        { label: "Now", value: of.busy ? "In contact with the MASH …" : of.online ? "Online" : "Offline" },
        { label: "Last contact", value: of.last_contact ? `${when(of.last_contact, now)} (${ago(of.last_contact, now)})` : "Never" },
        of.last_try && of.last_try !== of.last_contact && { label: "Last tried", value: when(of.last_try, now) },
        { label: "Contact needed", value: of.lease_until ? `Connect by ${day(of.lease_until)} (${left(of.lease_until, now)}), or this device locks` : null },
        { label: "Held only here", value: of.unsent ? `${count(of.unsent, "change")}, the oldest from ${when(of.oldest_unsent, now)}` : "Nothing: the MASH has all that was written here" },
        of.rescued > 0 && { label: "Of these", value: `${count(of.rescued, "change")} from before this device was set up anew` },
        { label: "Not accepted yet", value: of.held + of.waiting ? html`${count(of.held + of.waiting, "change")} <${Link} to="/held">See which<//>` : "Nothing" },
        { label: "Two versions", value: of.conflicts ? html`${count(of.conflicts, "place")} <${Link} to="/conflicts">See which<//>` : "Nothing" },
        { label: "Last time", value: of.bytes_in + of.bytes_out ? `${bytes(of.bytes_out)} sent, ${bytes(of.bytes_in)} received` : null },
        { label: "On this device", value: count(of.rows, "entry", "entries") },
        of.hidden > 0 && { label: "Not shown any more", value: `${count(of.hidden, "entry", "entries")}, shared until a time that is over` },
        of.receipts_due > 0 && { label: "Removed here", value: `${count(of.receipts_due, "removal")} still to be confirmed to the MASH` },
    ]} />`;
}

function Now({ of }) {
    const [state, setState] = useState({ busy: false, error: null, said: null, turn: 0 });
    const press = async () => {
        if (state.busy) return;
        setState((was) => ({ ...was, busy: true, error: null, said: null }));
        try {
            await contactNow();
            setState((was) => ({ ...was, busy: false, said: "Trying now. What comes of it shows on this page by itself." }));
        } catch (error) {
            setState((was) => ({ ...was, busy: false, error, turn: was.turn + 1 }));
        }
    };
    return html`<${ErrorSummary} error=${state.error} turn=${state.turn} />
        ${of.last_error &&
        html`<${Notice} kind="warning" title="The last contact did not succeed">
            ${[of.last_error.message, of.last_error.next].map((p) => p && html`<p key=${p} class="govuk-body">${p}</p>`)}
            ${of.last_error.detail && html`<p class="govuk-body-s">Detail for support: ${of.last_error.detail}</p>`}
        <//>`}
        <${Button} type="button" busy=${state.busy && "Trying …"} onClick=${press}>Contact the MASH now<//>
        <p class="govuk-body" role="status">${state.said}</p>`;
}

// Text that was not accepted and that nobody wants any more.
function LetGo({ of }) {
    const [state, setState] = useState({ sure: false, gone: false, error: null, turn: 0 });
    const about = html`<span class="govuk-visually-hidden"> of ${of.what}, ${of.reference ?? "no case"}, number ${of.seq}</span>`;
    const go = async () => {
        try {
            await act("outbox-discard", { seq: of.seq });
            setState((was) => ({ ...was, sure: false, gone: true, error: null }));
        } catch (error) {
            setState((was) => ({ ...was, error, turn: was.turn + 1 }));
        }
    };
    if (!["held", "waits", "fault", "dismissed"].includes(of.state)) return null;
    if (state.gone) return html`<p class="govuk-body-s spoke-tight">Its text is not kept here any more.</p>`;
    return html`<${ErrorSummary} error=${state.error} turn=${state.turn} />
        ${state.sure
            ? html`<${Button} type="button" kind="warning" onClick=${go}>Yes, let it go for good${about}<//>
                  <${Button} type="button" kind="secondary" onClick=${() => setState({ ...state, sure: false })}>Keep it${about}<//>`
            : html`<${Button} type="button" kind="secondary" onClick=${() => setState({ ...state, sure: true })}>Let this text go${about}<//>`}`;
}

function Sent({ of, now }) {
    const columns = [
        { name: "written", text: "Written", sort: (r) => r.written_at, cell: (r) => when(r.written_at, now) },
        { name: "what", text: "What", header: true, sort: (r) => r.what, cell: (r) => r.what.charAt(0).toUpperCase() + r.what.slice(1) },
        { name: "case", text: "Case", sort: (r) => r.reference, cell: (r) => (r.reference ? html`<${Link} to=${`/case/${r.case_id}`}>${r.reference}<//>` : "") },
        {
            name: "state", text: "What happened to it", sort: (r) => r.state,
            cell: (r) => html`<${Tag} tone=${STATE[r.state]?.tone}>${STATE[r.state]?.text || r.state}<//>
                ${r.reason && html`<p class="govuk-body-s spoke-tight">${r.reason}</p>`}
                ${r.state !== "unsent" && html`<p class="govuk-body-s spoke-tight">${KEPT[r.kept]}</p>`}
                ${r.parked && html`<p class="govuk-body-s spoke-tight">Its case was taken away before it was sent. It is sent all the same.</p>`} <${LetGo} of=${r} />`,
        },
    ];
    return html`<${Table} caption="Your changes" columns=${columns} rows=${of.outbox} rowKey=${(r) => r.seq}
        empty="Nothing was written on this device yet." />`;
}

// What opens the seal speaks in half sentences, to programs: whatever it found, this is no file for here. All else (an answer for
// another file, one that was taken before) comes in whole sentences, with what to do next.
const isNoAnswer = (error) => /^[a-z]/.test(error.message);
const NO_ANSWER = {
    message: "This file is no answer of the MASH, or it was not copied to its end. Nothing was changed here.",
    next: "Choose the file that came back from the MASH. If it is the right one, copy it from there once more.",
};
// The stick may be out by now.
async function contentOf(file) {
    try {
        return await file.arrayBuffer();
    } catch {
        throw new ApiError(0, { code: "file", message: "This file cannot be read any more.", next: "Put the stick in again, and choose the file once more." });
    }
}

function Stick() {
    const [file, setFile] = useState(null);
    const [state, setState] = useState({ busy: false, error: null, turn: 0, answer: null });
    const fail = (error) => setState((was) => ({ ...was, busy: false, error, turn: was.turn + 1 }));
    const save = () => download("/api/bundle/export", "to-the-mash.spoke", { method: "POST", body: {} }).catch(fail);
    const submit = async () => {
        if (!file) return fail({ message: "Choose the file that came back from the MASH.", next: null });
        setState((was) => ({ ...was, busy: true, error: null, answer: null }));
        try {
            const said = await call("POST", "/api/bundle/import", { body: await contentOf(file), type: "application/octet-stream" });
            const notes = [
                `${count(said.sent, "change")} of yours arrived at the MASH.`,
                `${count(said.rows_in, "entry", "entries")} came from there${said.rows_dropped ? `, ${count(said.rows_dropped, "entry was", "entries were")} taken away here` : ""}.`,
            ];
            if (said.held) notes.push(`${count(said.held, "change")} not accepted yet: a manager decides.`);
            if (said.conflicts_new) notes.push(`${count(said.conflicts_new, "new place")} with two versions.`);
            const { unsent } = await get("/api/sync", { quiet: true });
            if (unsent) notes.push(`${count(unsent, "change")} of yours ${unsent === 1 ? "has" : "have"} no answer yet. What was in that file is at the MASH, which says so with the next contact or file. For what you wrote after it, save a new file.`);
            setState((was) => ({ ...was, busy: false, answer: { notes } }));
        } catch (error) {
            fail(isNoAnswer(error) ? NO_ANSWER : error);
        }
        return undefined;
    };
    return html`<h2 class="govuk-heading-m" id="stick">By USB stick</h2>
        <p class="govuk-body">The file is sealed for the MASH alone: nobody else can read it, and a lost stick tells nothing.</p>
        <${ErrorSummary} error=${state.error} turn=${state.turn} />
        <${Done} answer=${state.answer} title="Taken in" />
        <h3 class="govuk-heading-s">1. Take the changes along</h3>
        <${Button} type="button" kind="secondary" onClick=${save}>Save the file for the MASH<//>
        <h3 class="govuk-heading-s">2. Bring the answer back</h3>
        <${Form} submit=${submit}>
            <${FileField} id="answer" label="The file that came back from the MASH" onChange=${setFile} />
            <${Button} busy=${state.busy && "Taking it in …"}>Take the answer in<//>
        <//>`;
}

export function SyncPage() {
    const load = useLoad("/api/sync", { every: 20000 });
    useNow();
    const now = nowMs();
    return html`<${Page} title="Contact with the MASH" help=${HELP}>
        <${RedUnsent} />
        <${Loaded} load=${load} what="how contact stands">
            ${(of) => html`<${How} of=${of} now=${now} />
                ${of.revoked &&
                html`<${Notice} kind="error" title="The MASH has cut this device off">
                    Phone the MASH’s administrator. What you wrote is kept there for a manager to decide; nothing new reaches this device.
                <//>`}
                <${Now} of=${of} />
                <${Sent} of=${of} now=${now} />
                <${Stick} />
                <${Details} summary="What the words mean">
                    <p class="govuk-body"><strong>Taken in</strong>: the MASH has it, as you wrote it.</p>
                    <p class="govuk-body"><strong>Taken in with another’s</strong>: somebody else wrote in the same place. Both are kept; see Two versions.</p>
                    <p class="govuk-body"><strong>Not accepted yet</strong>: a rule stands against it. It is kept whole, and a manager of the MASH decides.</p>
                <//>`}
        <//>
    <//>`;
}
