// The board on a big screen: large, initials always, nothing to click in the cards, and it keeps itself in step.
import { useState } from "preact/hooks";
import { nowMs, when } from "../format.js";
import { html } from "../html.js";
import { Button, Details, ErrorSummary, Heading, Loaded } from "../parts/index.js";
import { Link } from "../router.js";
import { Phone, RedUnsent } from "../status.js";
import { giveToWall, signOut, useLoad, useNow, useStore } from "../store.js";
import { Column } from "./board.js";

/* Who leaves a screen on a wall leaves it to everybody who walks past: it either ends with the session after a while, or is
 * given to the wall, and then shows nothing else until somebody signs in anew. */
function Keep() {
    const { session } = useStore();
    const [error, setError] = useState(null);
    if (session.wall)
        return html`<p class="spoke-wall__leave">
            This screen shows the wall alone. <${Button} type="button" kind="secondary" onClick=${() => signOut()}>Sign out of the big screen<//>
        </p>`;
    const keep = () => giveToWall().catch(setError);
    return html`<div class="spoke-wall__leave">
        <${ErrorSummary} error=${error} />
        <p><${Link} to="/board">Leave the big screen<//></p>
        <${Details} summary="Leave it on when nobody is here">
            <p>As it is, this screen is signed out when nobody works here for a while. You can give it to the wall: it then stays on, shows
            initials and nothing else, and no case can be opened here until somebody signs in again.</p>
            <${Button} type="button" onClick=${keep}>Give this screen to the wall<//>
        <//>
    </div>`;
}

export function WallPage() {
    const load = useLoad("/api/board?wall=1", { every: 30000 });
    const { session, sync, reachable } = useStore();
    useNow(15);
    const now = nowMs();
    const state = !reachable ? "Not running: what you see may be old" : sync?.online ? "Online" : "Offline";
    return html`<div class="spoke-wall">
        <header class="spoke-wall__top">
            <${Heading} title="Wall board" className="govuk-heading-l spoke-wall__title" />
            <p class="spoke-wall__state">
                <strong>${state}</strong>. Last contact with the MASH: ${sync?.last_contact ? when(sync.last_contact, now) : "none yet"}.
                ${sync?.unsent ? ` ${sync.unsent} held only on this device.` : ""} <${Phone} phone=${session?.phone} />
            </p>
            <${Keep} />
        </header>
        <${RedUnsent} plain />
        <main id="main" tabindex="-1">
            <${Loaded} load=${load} what="the board">
                ${(board) => html`<div class="spoke-board spoke-board--wall">
                    ${board.columns.map((c) => html`<${Column} key=${c.status} of=${c} initials=${true} now=${now} wall />`)}
                </div>`}
            <//>
        </main>
    </div>`;
}
