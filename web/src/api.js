// The service on this device. Every call gives JSON, or throws an ApiError whose words are for the person at the page.

export class ApiError extends Error {
    constructor(status, error) {
        super(error.message);
        this.status = status;
        this.code = error.code;
        this.next = error.next || null;
        this.waitSeconds = error.wait_seconds || 0;
    }
}

// Told by main.js: what to do when the session has ended (show the sign-in, keeping where one was).
let onLocked = () => {};
export function whenLocked(fn) {
    onLocked = fn;
}
// When something that counts as work was last sent: the session ends after a while without.
let lastWork = Date.now();
export const lastWorkAt = () => lastWork;

function unreachable() {
    return new ApiError(0, {
        code: "gone",
        message: "This page cannot reach Spoke on this device.",
        next: "Nothing that was saved is lost. Start Spoke again on this device, then try once more.",
    });
}

async function failed(answer) {
    let said = null;
    try {
        said = (await answer.json()).error;
    } catch {
        said = null; // not JSON: the words below stand in
    }
    const error = new ApiError(
        answer.status,
        said || {
            code: "failed",
            message: "Something went wrong on this device.",
            next: "Try once more. If it happens again, tell whoever looks after Spoke.",
        },
    );
    if (answer.status === 401 && error.code === "locked") onLocked();
    return error;
}

// Whose page this is. All windows of a browser share the session: where somebody else signed in in another one, the service
// refuses what this one asks, so that nothing is done under another name than the page shows.
let person = null;
export function asPerson(id) {
    person = id;
}

// quiet: the page asks by itself, which is no work of the person and keeps no session open.
export async function call(method, path, { body, type, quiet = false, signal, want = "json" } = {}) {
    const headers = { Accept: want === "json" ? "application/json" : "*/*" };
    if (quiet) headers["X-Spoke-Quiet"] = "1";
    else lastWork = Date.now();
    if (person) headers["X-Spoke-Person"] = person;
    if (method !== "GET") headers["Content-Type"] = type || "application/json";
    let answer;
    try {
        answer = await fetch(path, {
            method,
            headers,
            body: body === undefined ? undefined : type ? body : JSON.stringify(body),
            credentials: "same-origin",
            cache: "no-store",
            signal,
        });
    } catch (e) {
        if (e.name === "AbortError") throw e;
        throw unreachable();
    }
    if (!answer.ok) throw await failed(answer);
    if (want === "blob") return answer.blob();
    if (answer.status === 204) return null;
    try {
        return await answer.json();
    } catch (e) {
        if (e.name === "AbortError") throw e;
        throw unreachable(); // broke off in the middle
    }
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body = {}, options) => call("POST", path, { body, ...options });
// Told by store.js: what stands on this device alone has changed, and the line about it must say so before anybody looks.
let onAct = () => {};
export function whenActed(fn) {
    onAct = fn;
}
// What was asked last, as long as nobody knows whether it was done: the same again goes under the same id, and is done once.
let asked = {};
// An act: what a person does to a case. → {id, reference, held, unsent, notes, …}
export async function act(name, body) {
    const what = name + JSON.stringify(body);
    if (asked.what !== what) asked = { what, once: crypto.randomUUID().replaceAll("-", "") };
    const answer = await post(`/api/acts/${name}`, { ...body, once: asked.once });
    asked = {};
    await onAct();
    return answer;
}

// "/api/board" and {rag: "red", area: ""} → "/api/board?rag=red"; false, null and "" are left out, true is 1.
export function query(path, values) {
    const q = new URLSearchParams();
    for (const [name, value] of Object.entries(values)) {
        if (value === true) q.set(name, "1");
        else if (value !== false && value !== null && value !== undefined && value !== "") q.set(name, String(value));
    }
    const text = q.toString();
    return text ? `${path}?${text}` : path;
}

// Saves what a route answers as a file of this name.
export async function download(path, name, options) {
    const blob = await call(options?.method || "GET", path, { want: "blob", ...options });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
