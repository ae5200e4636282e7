// Pages that not everybody opens come in a file of their own, fetched when the first page stands: that one must be quick.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";

const all = [];
/* A component that is the export `name` of what load() imports. */
export function lazy(load, name) {
    const held = { Page: null };
    held.fetch = async () => {
        held.Page = (await load())[name];
    };
    all.push(held);
    return function Lazy(props) {
        const [state, setState] = useState({ ready: held.Page !== null, failed: false });
        useEffect(() => {
            if (held.Page) return;
            held.fetch().then(
                () => setState({ ready: true, failed: false }),
                () => setState({ ready: false, failed: true }),
            );
        }, []);
        if (held.Page) return html`<${held.Page} ...${props} />`;
        if (state.failed)
            return html`<div class="govuk-inset-text spoke-problem" role="alert">
                <p class="govuk-body">This page could not be fetched from Spoke on this device. It may have been changed, or stopped, meanwhile.</p>
                <button type="button" class="govuk-button govuk-button--secondary" onClick=${() => location.reload()}>Load it again</button>
            </div>`;
        return html`<p class="govuk-body" role="status">Loading …</p>`;
    };
}
// What was not opened yet, while nobody waits.
export function fetchRest() {
    for (const held of all) if (!held.Page) held.fetch().catch(() => {}); // asked for again when it is opened
}
