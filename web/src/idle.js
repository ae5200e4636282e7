// Being at work keeps the session open; a minute before it ends the page says so. Typing is work of which the service knows
// nothing: the page tells it, at most once a minute.
import { useEffect, useRef, useState } from "preact/hooks";
import { lastWorkAt } from "./api.js";
import { html } from "./html.js";
import { overdue, stillHere, useSession } from "./store.js";

const GRACE = 5000; // ms: the service ends it first, and says so

export function Idle() {
    const session = useSession();
    const [warn, setWarn] = useState(false);
    const button = useRef(null);
    const before = useRef(null);
    const limit = (session?.idle_seconds || 900) * 1000;
    const notice = Math.min(60000, limit / 3);
    useEffect(() => {
        const tell = () => {
            if (Date.now() - lastWorkAt() > Math.min(60000, limit / 4)) stillHere().catch(() => {});
        };
        for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, tell, { passive: true });
        let asked = 0; // another window may be at work, and the session with it
        const timer = setInterval(() => {
            const rested = Date.now() - lastWorkAt();
            setWarn(rested > limit - notice);
            if (rested < limit + GRACE || Date.now() - asked < 3 * GRACE) return;
            asked = Date.now();
            overdue();
        }, 1000);
        return () => {
            for (const kind of ["keydown", "pointerdown"]) removeEventListener(kind, tell);
            clearInterval(timer);
        };
    }, [limit, notice]);
    useEffect(() => {
        if (warn) {
            before.current = document.activeElement;
            button.current?.focus();
        } else {
            before.current?.focus?.();
            before.current = null;
        }
    }, [warn]);
    if (!warn) return null;
    const stay = () => stillHere().then(() => setWarn(false), () => {});
    return html`<div class="spoke-idle" role="alert">
        <p class="govuk-body">
            Nobody has worked here for a while. In a minute you are signed out, so that nobody else sees what is open. What you have
            typed is kept in this window until you sign in again.
        </p>
        <button type="button" class="govuk-button" ref=${button} onClick=${stay}>Stay signed in</button>
    </div>`;
}
