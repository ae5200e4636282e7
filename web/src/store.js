// What all pages share: who is signed in, how contact with the MASH stands, and word of every change on this device.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asPerson, call, get, post, whenActed, whenLocked } from "./api.js";
import { draftsOf } from "./draft.js";
import { setClock } from "./format.js";
import { go } from "./router.js";
import { follow } from "./stream.js";

const state = {
    session: null, // of GET /api/session; null: not asked yet
    sync: null, // of GET /api/sync, while signed in
    reference: null, // of GET /api/reference, while signed in
    reachable: true, // does the service on this device answer?
    ended: false, // the session ended by itself: say so
    initials: localStorage.getItem("spoke-initials") === "1",
};
const watchers = new Set();
const listeners = new Set(); // called on every change of what stands on this device
function set(values) {
    Object.assign(state, values);
    for (const watch of watchers) watch({ ...state });
}

export function useStore() {
    const [now, change] = useState({ ...state });
    useEffect(() => {
        watchers.add(change);
        change({ ...state });
        return () => watchers.delete(change);
    }, []);
    return now;
}
export const useSession = () => useStore().session;
export const useReference = () => useStore().reference;
export const useSync = () => useStore().sync;
export const useInitials = () => useStore().initials;
// How a switch stands is no case matter: it may stay in the browser. Nothing else is kept there.
export function setInitials(on) {
    if (on) localStorage.setItem("spoke-initials", "1");
    else localStorage.removeItem("spoke-initials");
    set({ initials: on });
}

// ------------------------------------------------------------------------------------------------ the session
function signedOut(ended) {
    stopEvents();
    asPerson(null);
    set({
        session: state.session ? { ...state.session, signed_in: false } : null,
        sync: null,
        reference: null,
        ended,
    });
}
whenLocked(() => {
    if (state.session?.signed_in) signedOut(true);
});

// The session must be over by now. It ends here too where the service does not answer: what is open must not stay so.
export const overdue = () =>
    get("/api/session", { quiet: true }).then(
        (session) => session.signed_in || signedOut(true),
        () => signedOut(true),
    );

// What was done is on the page before it is said to be: word of it by the stream may come a moment later.
whenActed(async () => {
    await loadSync();
    await Promise.all([...listeners].map((fn) => fn()));
});

async function signedIn(session) {
    setClock(session.now);
    if (!session.signed_in) {
        set({ session });
        return session;
    }
    draftsOf(`${session.person?.id} ${session.site}`);
    asPerson(session.person?.id ?? null);
    // A window that was given to the wall may ask for nothing else.
    const reference = session.wall ? null : await get("/api/reference", { quiet: true });
    set({ session, reference, ended: false, reachable: true });
    await loadSync();
    startEvents(session);
    return session;
}
// At the start: who is here, or a launch token in the address that `spoke open` made.
export async function begin() {
    const token = location.pathname === "/launch" && location.hash.match(/^#([A-Za-z0-9_-]{1,200})$/);
    if (token) {
        go("/", { replace: true, focus: false }); // what let somebody in once is neither kept nor sent anywhere else
        try {
            return await signedIn(await post("/api/session/launch", { token: token[1] }));
        } catch (e) {
            const session = await get("/api/session", { quiet: true });
            set({ session });
            throw e;
        }
    }
    return signedIn(await get("/api/session", { quiet: true }));
}
export async function signIn(passphrase) {
    return signedIn(await post("/api/session", { passphrase }));
}
export async function signOut() {
    try {
        await call("DELETE", "/api/session", { body: {} });
    } finally {
        signedOut(false);
        set({ session: await get("/api/session", { quiet: true }) });
    }
}
export async function lockDevice() {
    await post("/api/lock", {});
    signedOut(false);
}
// From now on this window shows the wall alone, and is not signed out when nobody works at it.
export async function giveToWall() {
    set({ session: await post("/api/session/wall", {}) });
}
export const stillHere = () => get("/api/session");

export async function loadSync() {
    if (!state.session?.signed_in) return;
    try {
        set({ sync: await get("/api/sync", { quiet: true }), reachable: true });
    } catch (e) {
        if (e.code === "gone") set({ reachable: false });
        else if (e.status !== 401) console.error(e.message);
    }
}
export async function contactNow() {
    await post("/api/sync", {});
    await loadSync();
}

// ------------------------------------------------------------------------------------------------------- events
let stopEvents = () => {};
function startEvents(session) {
    stopEvents();
    stopEvents = follow(session.stream, session.events || 0, { news: changed, doubt });
}
// Ended, or nobody there? The answer to a plain question tells, and ends the session on the page where it did.
async function doubt() {
    try {
        const session = await get("/api/session", { quiet: true });
        if (!state.session?.signed_in) return;
        // All windows share the session: somebody else may have signed in in another one.
        if (!session.signed_in || session.person?.id !== state.session.person?.id) return signedOut(true);
        const anew = session.stream !== state.session.stream;
        set({ session, reachable: true });
        if (!anew) return;
        startEvents(session); // the same person, in another one
        changed();
    } catch (e) {
        if (e.code === "gone") set({ reachable: false });
    }
}
function changed(event = {}) {
    if (event.reason === "locked") return signedOut(true);
    loadSync();
    for (const fn of listeners) fn();
}
// fn is called whenever something on this device changed; it may be waited for.
export function useChanges(fn) {
    const last = useRef(fn);
    last.current = fn;
    useEffect(() => {
        const heard = () => last.current();
        listeners.add(heard);
        return () => listeners.delete(heard);
    }, []);
}

// ------------------------------------------------------------------------------------------------- loading a page
/* What a GET gives, read again on every change (every: also each so many ms). → {data, error, loading, reload}.
 * path null: nothing yet. What was taken away is not shown a moment longer than the service says so: an error replaces
 * what was there, unless this device's service merely does not answer. */
export function useLoad(path, { every = 0 } = {}) {
    const [held, setHeld] = useState({ path: null, data: null, error: null });
    const turn = useRef({ asked: 0, shown: 0 });
    const reload = useCallback(
        async (quiet = false) => {
            if (path === null) return;
            const mine = ++turn.current.asked;
            const show = (next) => {
                if (mine < turn.current.shown) return; // what was asked later is there already
                turn.current.shown = mine;
                setHeld(next);
            };
            try {
                const data = await get(path, { quiet });
                show({ path, data, error: null });
            } catch (error) {
                show((was) => ({ path, data: error.code === "gone" && was.path === path ? was.data : null, error }));
            }
        },
        [path],
    );
    useEffect(() => {
        reload(false);
        return () => (turn.current.shown = turn.current.asked + 1); // nothing that is under way is shown any more
    }, [reload]);
    useChanges(() => reload(true));
    useEffect(() => {
        if (!every) return undefined;
        const timer = setInterval(() => reload(true), every);
        return () => clearInterval(timer);
    }, [reload, every]);
    const fits = held.path === path;
    return { data: fits ? held.data : null, error: fits ? held.error : null, loading: !fits, reload };
}

// The time now, anew every so many seconds: for "47 minutes left".
export function useNow(seconds = 30) {
    const [now, setNow] = useState(Date.now());
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), seconds * 1000);
        return () => clearInterval(timer);
    }, [seconds]);
    return now;
}
