// The parts of a case, as links, with how many things wait for this agency in each.
import { html } from "../html.js";
import { SubNavigation } from "../parts/index.js";

export const tabs = [
    ["", "Overview"],
    ["chronology", "Chronology"],
    ["people", "People and family tree"],
    ["requests", "Questions and answers"],
    ["permission", "Permission to share"],
    ["consent", "Consent"],
    ["sharing", "Who takes part"],
    ["decision", "Meeting and decision"],
    ["outcome", "Outcome and feedback"],
    ["actions", "Actions and plans"],
    ["opened", "Who opened it"],
    ["summary", "One-page summary"],
];

export function Tabs({ at, current, waiting }) {
    const to = (part) => (part ? `${at}/${part}` : at);
    return html`<${SubNavigation}
        name="Parts of this case" current=${to(current)}
        items=${tabs.map(([part, text]) => ({ to: to(part), text, count: waiting[part] }))}
    />`;
}
