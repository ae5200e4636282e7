// Ratings, states and clocks: always a word, never colour alone; each rating has a shape of its own too.
import { html } from "../html.js";
import { DUE_WHAT, due, left, nowMs, ragWord, when } from "../format.js";

const SHAPES = {
    red: "M8 1 15 14H1Z", // triangle
    amber: "M8 1 15 8 8 15 1 8Z", // diamond
    green: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", // circle
    blue: "M2 2h12v12H2Z", // square
};
// A rating: "Red" with its shape. `more` follows in the same tag: "Red, 47 minutes left".
export function Rating({ rag, more, large = false }) {
    const shape = SHAPES[rag];
    return html`<strong class=${`spoke-rag spoke-rag--${shape ? rag : "none"}${large ? " spoke-rag--large" : ""}`}>
        ${shape && html`<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${shape} /></svg>`}
        ${ragWord(rag)}${more ? `, ${more}` : ""}
    </strong>`;
}
// The rating of a case as the board has it: {rag, shown_rag, disputed}
export function CaseRating({ of, more, large }) {
    return html`<span class="spoke-rating">
        <${Rating} rag=${of.shown_rag || of.rag} more=${more} large=${large} />
        ${of.disputed && html` <${Tag} tone="yellow">Rating disputed<//>`}
    </span>`;
}
// tone: grey, blue, green, yellow, orange, red, purple
export function Tag({ tone = "grey", children }) {
    return html`<strong class=${`govuk-tag govuk-tag--${tone}`}>${children}</strong>`;
}
// A row has changes that the MASH does not have yet.
export function Unsent({ of }) {
    return of?.unsent ? html`<${Tag} tone="yellow">Not sent yet<//>` : null;
}

/* Time left until `at` (of `what`: reply, meeting, decision): both the hour and what is left, one second from green to late.
 * now: from useNow(), so that it moves. */
export function Clock({ at, what, now = nowMs(), short = false }) {
    if (!at) return null;
    const late = Date.parse(at) < now;
    const text = short ? left(at, now) : due(at, now);
    return html`<span class=${`spoke-clock${late ? " spoke-clock--late" : ""}`}>
        ${late && html`<span class="spoke-clock__mark" aria-hidden="true">!</span>`}
        ${what ? `${DUE_WHAT[what] || what}: ` : ""}<time datetime=${at}>${text}</time>
    </span>`;
}
// A moment, the hour of which is shown: "Today at 14:05"
export function Time({ at, now = nowMs() }) {
    return at ? html`<time datetime=${at}>${when(at, now)}</time>` : null;
}
