// The line that stands on every page: contact with the MASH, what is on this device alone, and whom to ring.
import { html } from "./html.js";
import { ago, count, day, list, nowMs, when, whenMid } from "./format.js";
import { Link } from "./router.js";
import { useNow, useStore } from "./store.js";

const DAY = 86400000;

// {label, number, night} as a link that a telephone can dial.
export function Phone({ phone }) {
    if (!phone?.number) return html`<span>No telephone number of the MASH is known here. Use the one on your office's list.</span>`;
    return html`<span class="spoke-phone">${phone.label || "The MASH"}: <a class="govuk-link" href=${`tel:${phone.number.replace(/[^0-9+]/g, "")}`}>${phone.number}</a></span>`;
}

// plain: without links. A red referral that nobody else knows of: said with the number of the hour, on every page, until it is sent.
export function RedUnsent({ plain = false }) {
    const { sync, session } = useStore();
    const red = sync?.red_unsent || [];
    if (red.length === 0) return null;
    return html`<div class="spoke-red-unsent" role="alert">
        <div class="govuk-width-container spoke-width">
            <p class="spoke-red-unsent__text">
                <span aria-hidden="true" class="spoke-red-unsent__mark">!</span>
                <strong>The MASH does NOT have this yet. Phone ${session?.phone?.number || "the MASH"}${session?.phone?.label ? ` (${session.phone.label})` : ""}.</strong>
                ${" "}Red and not sent: ${list(red.map((r) => r.reference)).split(/(, | and )/).map((part, i) => (i % 2 || plain ? part : html`<${Link} to=${`/case/${red[i / 2].case_id}`}>${part}<//>`))}
            </p>
        </div>
    </div>`;
}

function contact(sync, reachable, now) {
    if (!reachable) return { state: "gone", text: "This page has lost Spoke on this device. What you see may be old." };
    if (!sync) return { state: "wait", text: "Asking how contact stands …" };
    const last = sync.last_contact ? `Last contact with the MASH: ${when(sync.last_contact, now)} (${ago(sync.last_contact, now)})` : "No contact with the MASH yet";
    if (sync.online) return { state: "online", text: last };
    return { state: "offline", text: `${last}. You can go on working: it is sent when there is contact.` };
}
const WORD = { online: "Online", offline: "Offline", gone: "Not running", wait: "…" };

export function StatusBar() {
    const { sync, session, reachable } = useStore();
    useNow();
    const now = nowMs();
    const at = contact(sync, reachable, now);
    const here = [];
    if (sync?.unsent) here.push(`${count(sync.unsent, "change")} held only on this device${sync.oldest_unsent ? `, the oldest from ${whenMid(sync.oldest_unsent, now)}` : ""}`);
    const lease = sync?.lease_until && Date.parse(sync.lease_until) - now < 3 * DAY;
    return html`<${RedUnsent} />
        <section class=${`spoke-status spoke-status--${at.state}`} aria-label="Contact with the MASH">
            <div class="govuk-width-container spoke-width spoke-status__in">
                <span class="spoke-status__state" role="status">
                    <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${at.state === "online" ? "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z" : "M2 2h12v12H2Z"} /></svg>
                    <strong>${WORD[at.state]}</strong>
                </span>
                <span>${at.text}</span>
                <span>${here.length ? here.join("; ") : sync ? "Nothing is held only on this device" : ""}</span>
                ${sync?.held > 0 && html`<span><${Link} to="/held">${count(sync.held, "change")} not accepted yet<//></span>`}
                ${lease && html`<strong>Connect by ${day(sync.lease_until)} or this device locks</strong>`}
                <${Phone} phone=${session?.phone} />
            </div>
        </section>`;
}
