// What somebody typed and has not saved. It lives in this window's memory alone, for the person who typed it: so that being
// signed out for a while, or a wrong click, loses nothing. Another person's sign-in clears it.
import { useCallback, useState } from "preact/hooks";

const kept = new Map();
let owner = null;

export function draftsOf(person) {
    if (owner !== person) kept.clear();
    owner = person;
}
/* As useState, under a name of the form: [values, set, forget]. Call forget() when it was saved or given up. */
export function useDraft(key, initial) {
    const [value, change] = useState(() => {
        if (key !== null && kept.has(key)) return kept.get(key);
        return typeof initial === "function" ? initial() : initial;
    });
    const set = useCallback(
        (next) =>
            change((was) => {
                const now = typeof next === "function" ? next(was) : next;
                if (key !== null) kept.set(key, now);
                return now;
            }),
        [key],
    );
    const forget = useCallback(() => kept.delete(key), [key]);
    return [value, set, forget];
}
// For a form that is done only in a later step of the page.
export const forgetDraft = (key) => kept.delete(key);
export const hasDraft = (key) => kept.has(key);
