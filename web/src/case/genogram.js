/* The family tree: squares are male, circles female, diamonds not recorded, triangles a child still to be born; a
 * cross is for who has died, a thick outline for whom the case is about. A broken line: fostered, adopted, step- or
 * cared for, or a couple who live together; one stroke: separated, two: divorced. Each person is a link to their row
 * of the table, which says the same. */
import { useMemo } from "preact/hooks";
import { age, day } from "../format.js";
import { html } from "../html.js";
import { layout, size } from "./genogram_layout.js";
import { roleWords, sexWords } from "./words.js";

const AT_MOST = 120; // people; a larger drawing helps nobody
const LETTERS = 19; // of a name beside its symbol: the whole name is in the table and in the link's name
const r = size.symbol / 2;

export function shapeOf(p) {
    if (p.expected_on && !p.born_on) return "expected";
    return (
        new Map([
            ["1", "male"],
            ["M", "male"],
            ["2", "female"],
            ["F", "female"],
        ]).get(p.sex) ?? "unknown"
    );
}
const shapes = {
    male: (c) => html`<rect class=${c} x=${-r} y=${-r} width=${2 * r} height=${2 * r} />`,
    female: (c) => html`<circle class=${c} r=${r} />`,
    unknown: (c) => html`<path class=${c} d=${`M0 ${-r}L${r} 0L0 ${r}L${-r} 0Z`} />`,
    expected: (c) => html`<path class=${c} d=${`M0 ${-r}L${r} ${r}L${-r} ${r}Z`} />`,
};

const short = (text) => ([...text].length > LETTERS ? `${[...text].slice(0, LETTERS - 1).join("")}…` : text);
function dates(p) {
    if (p.died_on) return `Died ${day(p.died_on)}`;
    if (p.born_on) return `${day(p.born_on)}, ${age(p.born_on)}`;
    return p.expected_on ? `Expected ${day(p.expected_on)}` : "";
}

function Symbol({ at, subject }) {
    const p = at.person;
    const name = p.name || "Name not known";
    const line3 = at.note ?? roleWords(p.role);
    const said = [name, sexWords(p.sex), dates(p), roleWords(p.role), at.note, subject && "the case is about them"]
        .filter(Boolean)
        .join(", ");
    return html`<a class="geno-person" href=${`#person-${p.id}`} aria-description=${said}>
        <g transform=${`translate(${at.x} ${at.y})`}>
            <rect class="geno-focus" x=${-r - 5} y=${-r - 5} width=${size.node - 6} height=${2 * r + 10} rx="3" />
            ${shapes[shapeOf(p)](`geno-shape${subject ? " geno-shape--subject" : ""}`)}
            ${p.died_on && html`<path class="geno-line" d=${`M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`} />`}
            <text class="geno-name" x=${r + 8} y="-9">${short(name)}</text>
            <text class="geno-text" x=${r + 8} y="7">${dates(p)}</text>
            <text class="geno-text" x=${r + 8} y="22">${short(line3)}</text>
        </g>
    </a>`;
}

function Union({ u }) {
    const { mark } = u;
    const stroke = (dx) => `M${mark.x - 5 + dx} ${mark.y + 8}L${mark.x + 5 + dx} ${mark.y - 8}`;
    return html`<g>
        <path class=${`geno-line${u.bond === "cohabiting" ? " geno-line--broken" : ""}`} d=${u.path} />
        ${
            mark &&
            (u.bond === "separated" || u.bond === "divorced") &&
            html`<path class="geno-line" d=${u.bond === "divorced" ? stroke(-4) + stroke(4) : stroke(0)} />`
        }
        ${u.lines.map((l) => html`<path key=${l.key} class=${`geno-line${l.dashed ? " geno-line--broken" : ""}`} d=${l.d} />`)}
    </g>`;
}

function Key() {
    const one = (shape, text, more) => html`<li class="geno-key">
        <svg viewBox="-26 -26 52 52" class="geno-key-symbol" aria-hidden="true" focusable="false">${shapes[shape](`geno-shape${more === "subject" ? " geno-shape--subject" : ""}`)}
            ${more === "died" && html`<path class="geno-line" d=${`M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`} />`}</svg>
        ${text}
    </li>`;
    return html`<ul class="geno-keys">
        ${one("male", "Male")} ${one("female", "Female")} ${one("unknown", "Not recorded")} ${one("expected", "Still to be born")}
        ${one("male", "The case is about them", "subject")} ${one("female", "Has died", "died")}
    </ul>
    <p class="govuk-body-s">
        A broken line: a couple living together, or a child who is fostered, adopted, cared for or a step-child. One stroke across a line: separated. Two:
        divorced.
    </p>`;
}

export function Genogram({ people, kinship, subjectIds }) {
    const shown = people.length > 0 && people.length <= AT_MOST;
    const drawing = useMemo(() => (shown ? layout(people, kinship) : null), [people, kinship, shown]);
    if (!shown)
        return html`<p class="govuk-body">
            ${people.length ? `There are ${people.length} people: too many to draw. The table beneath has all of them.` : "Nobody is named yet."}
        </p>`;
    return html`<figure class="geno">
        <div class="geno-frame" role="region" aria-label="Family tree" tabindex="0">
            <svg
                class="geno-drawing" viewBox=${`0 0 ${drawing.width} ${drawing.height}`} width=${drawing.width} height=${drawing.height}
                role="group" aria-labelledby="geno-title geno-desc"
            >
                <title id="geno-title">Family tree</title>
                <desc id="geno-desc">
                    ${`${people.length} people. Each is a link to their row in the table beneath, which says the same in words.`}
                </desc>
                ${drawing.unions.map((u) => html`<${Union} key=${u.id} u=${u} />`)}
                ${drawing.ties.map(
                    (t) =>
                        html`<g key=${t.key}><path class="geno-line geno-line--tie" d=${t.d} /><text class="geno-text" x=${t.x} y=${t.y}>${t.label}</text></g>`,
                )}
                ${drawing.people.map((at) => html`<${Symbol} key=${at.person.id} at=${at} subject=${subjectIds.has(at.person.id)} />`)}
            </svg>
        </div>
        <figcaption><${Key} /></figcaption>
    </figure>`;
}
