// What happens next, after a referral: said plainly, because it may not have left this device.
import { ragWord } from "../format.js";
import { html } from "../html.js";
import { ButtonLink, Notice, Page } from "../parts/index.js";
import { Link } from "../router.js";
import { useSession, useSync } from "../store.js";

export function Sent({ of, rag }) {
    const session = useSession();
    const sync = useSync();
    const number = of.phone || session?.phone?.number;
    const waits = !sync || sync.red_unsent?.some((r) => r.case_id === of.id) || sync.unsent > 0;
    return html`<${Page} title=${`Referral ${of.reference} is saved`}>
        <div role="status">
            ${rag === "red" && waits &&
            html`<${Notice} kind="error" title="The MASH does NOT have this yet">
                <p class="govuk-body">It is red, so do not wait for this device: phone ${number || "the MASH"} now${session?.phone?.label ? ` (${session.phone.label})` : ""}. If somebody is in danger: 999.</p>
            <//>`}
            ${rag !== "red" && waits && html`<${Notice}>It is saved on this device, and goes to the MASH with the next contact.<//>`}
            ${!waits && html`<${Notice} kind="success" title="The MASH has it">It left this device.<//>`}
        </div>
        ${of.mash === false &&
        html`<${Notice} kind="warning" title="No MASH covers this area">Nobody picks this referral up by itself. Telephone ${number || "the MASH of the area"}, and tell whoever looks after Spoke.<//>`}
        ${of.notes?.map((note) => html`<${Notice} kind="warning" key=${note}>${note}<//>`)}
        <h2 class="govuk-heading-m">What happens next</h2>
        <ol class="govuk-list govuk-list--number">
            <li>The MASH reads the referral, and confirms or changes your rating (${ragWord(rag)}).</li>
            <li>It asks the partners what they know. Your agency may be asked too: that stands under “Requests”.</li>
            <li>The MASH decides, and tells your agency the outcome in this case.</li>
        </ol>
        <div class="spoke-row">
            <${ButtonLink} to=${`/case/${of.id}`}>Open case ${of.reference}<//>
            <${Link} to="/board">Go to the board<//>
        </div>
    <//>`;
}
