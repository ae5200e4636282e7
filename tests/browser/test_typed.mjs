/* What people type: it undoes nothing that others wrote meanwhile, is lost by nothing, and none of it stays in the browser for
 * whoever uses it next. */
import { part } from "./case_story.mjs";
import { CONTACT, run } from "./harness.mjs";
import { aCase } from "./story.mjs";

await run(
    "typed",
    async (t, w) => {
        const c = await aCase(w, { summary: "First words" });
        await w.node("mash", "case", "share", c.reference, "probation", "--access", "contribute", "--basis", "Working Together 2023");
        await w.inStep();
        await w.node("probation", "case", "set", c.reference, "status=decided");
        await w.inStep();
        await w.stopHub(); // a restricted case would leave this place, which is not named in it
        const url = await w.serve("mash");
        const page = await t.open(url);
        await signIn(t, w, page);
        await deaf(t, page, c);
        await stale(t, w, page, c);
        await beside(t, w, page, c);
        await search(t, page);
        await held(t, w, page, url);
        await dead(t, w, page, c);
    },
    { sites: ["mash", "probation"] },
);

async function signIn(t, w, page) {
    await t.claim("while a passphrase is shown the browser may not keep it: what it fills in again lies on its disk", async () => {
        const field = page.getByRole("textbox", { name: "Your passphrase" });
        if ((await field.getAttribute("autocomplete")) !== "current-password") throw new Error("a password manager cannot fill it");
        await t.button(page, "Show passphrase");
        await page.locator("#passphrase[type=text][autocomplete=off]").waitFor();
        await t.button(page, "Hide passphrase");
    });
    await t.signIn(page, w.passphrase("mash"));
}

// What another window does meanwhile.
async function meanwhile(t, page, name, body) {
    const { status } = await t.asks(page, `/api/acts/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (status !== 200) throw new Error(`${name}: ${status}`);
}
async function column(w, select) {
    return Object.values((await w.sql("mash", select))[0])[0];
}

// A form was opened, and somebody else changed the same things before it was saved.
async function stale(t, w, page, c) {
    await page.goto(new URL(`/case/${c.id}/actions/status`, page.url()).href);
    await part(page, "Where the case stands");
    await t.fill(page, "Presenting issue", "Fire");
    await meanwhile(t, page, "case-set", { case_id: c.id, restricted: true, summary: "Other words" });
    await page.getByText(/^Restricted:/).first().waitFor();
    await t.button(page, "Save what you changed");
    await page.getByRole("alert").filter({ hasText: "The change is saved" }).waitFor();
    t.equal("a case that was restricted meanwhile stays so", 1, await column(w, "select restricted v from case_file"));
    t.equal("a text that somebody else wrote meanwhile stands", "Other words", await column(w, "select summary v from brief"));
    t.equal("what was typed here is saved", "Fire", await column(w, "select presenting_issue v from brief"));

    await page.goto(new URL(`/case/${c.id}/people/${c.person}/change`, page.url()).href);
    await t.fill(page, "First names", "Elle");
    await meanwhile(t, page, "person-set", { id: c.person, family_name: "Moore", born_on: "2015-02-04" });
    await page.getByText("Moore").first().waitFor();
    await t.button(page, "Save what you changed");
    await page.getByRole("alert").filter({ hasText: "The change is saved" }).waitFor();
    const [person] = await w.sql("mash", "select given_names, family_name, born_on from person");
    t.equal("and so with a person's names and birth date", "Elle Moore 2015-02-04", `${person.given_names} ${person.family_name} ${person.born_on}`);
}

// Somebody types a command at the same device.
async function beside(t, w, page, c) {
    await page.goto(new URL(`/case/${c.id}/people`, page.url()).href);
    await page.getByText("Moore").first().waitFor();
    await w.node("mash", "person", "set", c.person, "given_names=Ellie");
    await t.claim("what a command changes on this device is on an open page by itself", () => page.getByText("Ellie").first().waitFor());
}

// The stream that brings word of changes hangs, as it may for a moment after each.
async function deaf(t, page, c) {
    const streams = "**/api/events?*";
    await page.route(streams, () => {}); // never answered
    await page.goto(new URL(`/case/${c.id}/people`, page.url()).href);
    await t.claim("what was done here is on the page that says so, and waits for no word of it", async () => {
        await t.link(page, /^Change.*Ella Moss/);
        await t.fill(page, "First names", "Nell");
        await t.button(page, "Save what you changed");
        await page.getByRole("alert").filter({ hasText: "The change is saved" }).waitFor();
        await t.reads(page.getByRole("table", { name: "Everybody as a table" }), "Nell Moss");
    });
    await page.unroute(streams);
    await page.reload();
}

async function search(t, page) {
    await t.link(page, "Search", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
    await t.fill(page, "What do you look for?", "Moore");
    await t.button(page, "Search this device");
    await t.sees(page, /place(s)? found/);
    await t.claim("what was looked for is in no address: the browser keeps addresses, and shows them to whoever comes next", async () => {
        if (/moore/i.test(page.url())) throw new Error(page.url());
        const kept = await page.evaluate(() => JSON.stringify([history.state, { ...localStorage }, { ...sessionStorage }, document.title]));
        if (/moore/i.test(kept)) throw new Error(kept);
    });
    await t.claim("going back from a case shows what was found", async () => {
        await page.getByRole("link", { name: /^C-/ }).first().click();
        await page.getByRole("heading", { level: 1, name: "Search" }).waitFor({ state: "detached" });
        await page.goBack();
        await t.sees(page, /place(s)? found/);
    });
}

async function held(t, w, page) {
    await t.link(page, /^Not accepted yet/, { within: page.getByRole("navigation", { name: "Menu" }) });
    await t.fill(page, "Why", "The school has said otherwise");
    await w.node("mash", "lock");
    await t.heading(page, "Sign in");
    await t.signIn(page, w.passphrase("mash"));
    await t.claim("a manager's reason outlives being signed out", async () => {
        await t.value(page.getByRole("textbox", { name: "Why" }), "The school has said otherwise");
    });
}

// The service is killed under an open page, as when a cable is pulled.
async function dead(t, w, page, c) {
    await w.stop("serve-mash");
    w.idle = 10;
    await w.serve("mash");
    await t.signIn(page, w.passphrase("mash"));
    await page.goto(new URL(`/case/${c.id}`, page.url()).href);
    await page.getByText("Moore").first().waitFor();
    w.running.get("serve-mash").kill("SIGKILL");
    await t.claim("left alone, a page whose service has died shows nothing of a case any more", async () => {
        await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor({ timeout: CONTACT });
        const text = await page.evaluate(() => document.documentElement.outerHTML);
        if (/Moore/.test(text)) throw new Error("the name is in the page");
    });
}
