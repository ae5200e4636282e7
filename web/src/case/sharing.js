// Who takes part in a case, what that lets them see, and on what basis.
import { html } from "../html.js";
import { ButtonLink, Tag, Unsent } from "../parts/index.js";
import { Link } from "../router.js";
import { ActForm } from "./act_form.js";
import { Phone } from "../status.js";
import { Line, List, Part, When, agencyOf, siteName } from "./bits.js";
import { Asking } from "./opened.js";
import { accessMeans, accessWords } from "./words.js";

// Whom to ring: the site that takes part, or the agency's sites that cover the case's area.
function phones(ctx, p) {
    const covers = (s) => s.areas?.includes("*") || s.areas?.includes(ctx.data.case.area);
    const here = (ctx.reference?.sites ?? []).filter((s) => s.agency === p.member && (p.site ? s.code === p.site : covers(s)));
    return here.filter((s) => s.phone).map((s) => ({ label: s.name || s.code, number: s.phone, night: s.night_phone }));
}

function Seat({ p, ctx }) {
    const { data, at, now, session } = ctx;
    const over = p.until && Date.parse(p.until) <= now;
    return html`<h3 class="govuk-heading-s">${agencyOf(p, "member")}${p.site ? `, ${siteName(ctx.reference, p.site)} only` : ""}</h3>
        <${Line}>
            <${Tag} tone=${p.access === "none" || over ? "grey" : "blue"}>${over ? "Its time is over" : accessWords(p.access)}<//>
            ${p.quiet && html`<${Tag} tone="purple">Others are not told that it takes part<//>`}
            ${p.since && html`since <${When} mid at=${p.since} now=${now} />`} ${p.until && html`until <${When} mid at=${p.until} now=${now} left=${!over} />`}
            ${p.unsent && html`<${Unsent} of=${p} />`}
        <//>
        <p class="govuk-body">${accessMeans[p.access] ?? ""}</p>
        ${p.basis && html`<p class="govuk-body-s"><strong>Basis:</strong> ${p.basis}</p>`}
        ${phones(ctx, p).map((one) => html`<p class="govuk-body" key=${one.label}><${Phone} phone=${one} />${one.night && one.night !== one.number ? `, at night ${one.night}` : ""}</p>`)}
        ${
            data.may["case-unshare"] &&
            p.member !== session.agency &&
            p.access !== "none" &&
            html`<p class="govuk-body"><${Link} to=${`${at}/sharing/stop/${encodeURIComponent(p.member)}`}>Stop sharing with ${agencyOf(p, "member")}<//></p>`
        }`;
}

export function Sharing({ ctx }) {
    const { data, at } = ctx;
    return html`<${Part} title="Who takes part" of=${data.case}>
        <p class="govuk-body">
            The MASH of the area and, while the case is open, the out-of-hours team see the case as well. Everybody keeps what they wrote themselves and what they
            were told.
        </p>
        ${data.access === "check" && html`<p class="govuk-body">Your agency is only asked what it knows, so this device does not know who else takes part.</p>`}
        ${
            data.may["case-share"]
                ? html`<${ButtonLink} to=${`${at}/sharing/add`}>Share this case with an agency<//>`
                : html`<p class="govuk-body">Whoever leads the case, or a manager of the MASH, decides who takes part. If somebody is missing, tell them.</p>`
        }
        <${List} items=${data.participants} none="No agency is named." each=${(p) => html`<${Seat} p=${p} ctx=${ctx} />`} />
    <//>`;
}

// What the MASH server says would come of it. Nothing waits for it: without contact the rules alone are said.
function First({ ctx, what, of, button, first }) {
    const path = `/api/preview/${what}/${ctx.data.case.id}`;
    return html`<${Asking}
            key=${Object.values(of).join("/")} path=${path} of=${of} now=${ctx.now} button=${button} kind="secondary" first=${first}
            none="Nothing that your agency sees would change, or it is not for you to decide."
        />
        <p class="govuk-hint">The MASH server counts it for this case, so that needs contact. You need not wait for it.</p>`;
}

function Share({ ctx }) {
    const { data, reference, session } = ctx;
    const agencies = (reference?.agencies ?? []).filter((a) => a.code !== session.agency).map((a) => [a.code, a.name || a.code]);
    const name = (code) => agencies.find(([c]) => c === code)?.[1] ?? "them";
    const sites = (code) => (reference?.sites ?? []).filter((s) => s.agency === code).map((s) => [s.code, s.name || s.code]);
    const fields = (v) => [
        { name: "agency", kind: "select", label: "Which agency?", items: agencies, need: "Choose an agency" },
        {
            name: "site",
            kind: "select",
            label: "Which of their places?",
            items: sites(v.agency),
            empty: data.case.restricted ? "Choose" : "All that cover the area",
            shown: (now) => sites(now.agency).length > 1 || Boolean(data.case.restricted),
            need: () => (data.case.restricted ? "Choose a place: this case is restricted to the places that are named in it" : null),
        },
        {
            name: "access",
            kind: "radios",
            label: "What may they do?",
            need: "Choose what they may do",
            items: ["check", "view", "contribute"].map((a) => [a, accessWords(a), accessMeans[a]]),
        },
        {
            name: "basis",
            kind: "text",
            label: "On what basis?",
            hint: "Such as “Child protection: section 47”, or “Consent of the mother”.",
            need: "Say on what basis you share",
        },
        {
            name: "until",
            kind: "when",
            label: "Until when?",
            hint: "Leave this empty if no end is set. It ends by itself then.",
            future: true,
        },
        {
            name: "quiet",
            kind: "yes",
            label: "Do not tell the other agencies that they take part",
            hint: "For the rare case where that alone would give something away.",
        },
    ];
    return html`<${Part} title="Share this case with an agency" of=${data.case}>
        <${ActForm}
            name=${`share ${ctx.id}`} act="case-share" fixed=${{ case_id: data.case.id }} fields=${fields} cancel=${`${ctx.at}/sharing`}
            send=${(v) => (v.agency ? `Share this case with ${name(v.agency)}` : "Share this case")} done=${(a, v) => ctx.finish("/sharing", `The case is shared with ${name(v.agency)}`, a)}
        >
            ${(v) =>
                v.agency &&
                v.access &&
                html`<div class="case-preview">
                <h3 class="govuk-heading-s">${`What ${name(v.agency)} will see`}</h3>
                <${First}
                    ctx=${ctx} what="share" of=${{ agency: v.agency, access: v.access, site: v.site }} button="See what they would get first"
                    first=${(reply) => html`<ul class="govuk-list govuk-list--bullet">${reply.rule.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
                />
                <p class="govuk-body">They see it after their next contact with the MASH.</p>
            </div>`}
        <//>
    <//>`;
}

function Stop({ ctx, agency }) {
    const seat = ctx.data.participants.find((p) => p.member === agency);
    const name = seat ? agencyOf(seat, "member") : agency;
    return html`<${Part} title=${`Stop sharing with ${name}`} of=${ctx.data.case}>
        <p class="govuk-body">
            ${`At its next contact ${name} is told to forget what other agencies wrote in this case, and each of its devices confirms that. It keeps what it wrote itself, what it was told by permission, and the outcome.`}
        </p>
        <p class="govuk-body">What its people have read already, they know. Changes that they have not sent yet still arrive and are judged.</p>
        <${First} ctx=${ctx} what="unshare" of=${{ agency }} button="See what would leave first" />
        <${ActForm}
            name=${`unshare ${ctx.id} ${agency}`} act="case-unshare" fixed=${{ case_id: ctx.data.case.id, agency }} fields=${[]} grave send=${`Stop sharing with ${name}`}
            cancel=${`${ctx.at}/sharing`} next="You can share the case again later: everything comes back to them then." done=${(a) => ctx.finish("/sharing", `The case is no longer shared with ${name}`, a)}
        />
    <//>`;
}

export function SharingForms(ctx, [a, b]) {
    if (a === "add") return html`<${Share} ctx=${ctx} />`;
    return a === "stop" && b ? html`<${Stop} ctx=${ctx} agency=${b} />` : null;
}
