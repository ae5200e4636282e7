// Real paths, so that a page can be kept, shared within the office and gone back to.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";

const watchers = new Set();
let said = null;
// A page that comes by a person's step takes the focus to its heading: main.js's first page does not.
let focusWanted = false;

function here() {
    return { path: location.pathname, query: new URLSearchParams(location.search), said };
}
let current = here();

function moved() {
    current = here();
    for (const watch of watchers) watch(current);
}
addEventListener("popstate", () => {
    focusWanted = true;
    said = null;
    moved();
});

/* To another page. say: {title, …} as Done takes it, shown with the focus at the top of the page that comes, until the next step. */
export function go(path, { replace = false, focus = true, say = null } = {}) {
    said = say;
    if (focus) focusWanted = true;
    if (replace) history.replaceState(null, "", path);
    else if (path !== location.pathname + location.search) history.pushState(null, "", path);
    if (focus) scrollTo(0, 0);
    moved();
}
export const route = () => current;

export function useRoute() {
    const [at, set] = useState(current);
    useEffect(() => {
        watchers.add(set);
        set(current);
        return () => watchers.delete(set);
    }, []);
    return at;
}

// True once after each step to another page: for whoever draws its heading. Where something is said of what was just done,
// that has the focus, above the heading: who presses a button must see what came of it.
export function takeFocusWish() {
    const wanted = focusWanted && said === null;
    focusWanted = false;
    return wanted;
}
export function wishFocus() {
    focusWanted = true;
}

// A link within the pages. Everything else of an <a> is passed on; a click with a modifier opens a new tab as ever.
export function Link({ to, children, onClick, ...rest }) {
    const click = (e) => {
        if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
        e.preventDefault();
        onClick?.(e);
        go(to);
    };
    return html`<a class="govuk-link" ...${rest} href=${to} onClick=${click}>${children}</a>`;
}

// "/case/:id/:tab?" against "/case/abc" → {id: "abc", tab: undefined, rest: []}; null where it does not fit. A last "*" takes
// whatever else there is as `rest`.
export function match(pattern, path) {
    const want = pattern.split("/").filter(Boolean);
    const have = path.split("/").filter(Boolean);
    const open = want[want.length - 1] === "*";
    if (open) want.pop();
    if (have.length > want.length && !open) return null;
    const found = { rest: have.slice(want.length) };
    for (const [i, part] of want.entries()) {
        if (part.startsWith(":")) {
            const name = part.replace(/[:?]/g, "");
            if (have[i] === undefined && !part.endsWith("?")) return null;
            try {
                found[name] = have[i] === undefined ? undefined : decodeURIComponent(have[i]);
            } catch {
                return null;
            }
        } else if (part !== have[i]) {
            return null;
        }
    }
    return found;
}
