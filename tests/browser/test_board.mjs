// The board, its filters, initials, and the wall.
import { run } from "./harness.mjs";
import { aCase, ask, move } from "./story.mjs";

await run("board", async (t, w) => {
    const red = await aCase(w, { rag: "red" });
    const amber = await aCase(w, { rag: "amber", family: "Pike", given: "Noor", summary: "Missing from home" });
    const adult = await aCase(w, { rag: "green", family: "Hart", given: "Ada", born: "1941-07-09", subject: "adult", role: "adult", summary: "Left alone" });
    await aCase(w, { rag: "blue", summary: "Advice asked for" }); // the same child once more
    await ask(w, red, "probation", "What do you know of the father?");
    const late = await ask(w, red, "health", "When was she last seen?");
    await ask(w, amber, "probation", "Is anybody in the house on licence?");
    await w.node("mash", "case", "set", adult.reference, "status=gathering");
    await move(w, "mash", "request", late, "due_at", -91); // nine minutes until it says otherwise
    await move(w, "mash", "request", late, "asked_at", -120);
    await w.inStep();
    const at = { mash: await w.serve("mash"), probation: await w.serve("probation") };

    const page = await t.open(at.mash);
    await t.signIn(page, w.passphrase("mash"));
    await t.heading(page, "Board");
    await page.getByRole("link", { name: red.reference }).first().waitFor();
    await t.look(page, "board");
    await columns(t, page, red);
    await filters(t, page, { red, amber, adult });
    await initials(t, page);
    await askedByUs(t, page, red);
    await wall(t, page, red);

    const partner = await t.open(at.probation);
    await t.signIn(partner, w.passphrase("probation"));
    await t.claim("the partner sees what it takes part in, and where it is asked", async () => {
        await partner.getByRole("link", { name: `Your agency is asked: answer about ${red.reference}` }).waitFor();
        await partner.getByRole("link", { name: `Your agency is asked: answer about ${amber.reference}` }).waitFor();
    });
    await t.claim("and no case that it does not take part in", () => t.absent(partner.getByText(adult.reference)));
    await t.look(partner, "board-partner");
    await givenToWall(t, page, at.mash, red);
}, { sites: ["mash", "probation"] });

async function columns(t, page, red) {
    const column = (name) => page.getByRole("region", { name });
    for (const name of ["New", "Gathering", "Ready to meet", "Decided"])
        await t.claim(`there is a column “${name}”`, () => t.counts(column(name), 1));
    const card = column(/New|Gathering/).getByRole("listitem").filter({ hasText: red.reference }).first();
    await t.claim("the reddest case stands first in its column", () =>
        t.reads(page.locator("ol.spoke-board__cards").filter({ hasText: red.reference }).getByRole("heading").first(), new RegExp(`^\\s*${red.reference}\\s*$`)));
    for (const [claim, wanted] of [
        ["its rating as a word", /\bRed\b/],
        ["what is due, at which hour, and how long it is overdue", /\d\d:\d\d, 1 hour 3\d minutes overdue/],
        ["who is involved, with the age", /Ella Moss \(child, 1\d years\)/],
        ["which partner has not answered in time", "Community health has not answered in time"],
        ["which partner was asked and still has time", "Probation service asked"],
    ])
        await t.claim(`a card says ${claim}`, () => t.reads(card, wanted));
    await t.claim("a referral of a child who is here already is marked", () => t.counts(page.getByText("Repeat referral"), 1));
}

async function filters(t, page, { red, amber, adult }) {
    const shown = async (wanted, hidden) => {
        await page.getByRole("link", { name: hidden.reference }).first().waitFor({ state: "detached" });
        await page.getByRole("link", { name: wanted.reference }).first().waitFor();
    };
    await t.claim("only one rating", async () => {
        await t.fill(page, "Rating", "Amber");
        await shown(amber, red);
    });
    await t.claim("what is chosen stands in the address, so that it can be kept", () => page.waitForURL(/\/board\?rag=amber$/));
    await t.claim("every case again, by a link that says so", async () => {
        await t.link(page, "Show every case");
        await shown(red, { reference: "C-NONE" });
    });
    await t.claim("only adults", async () => {
        await t.fill(page, "Children or adults", "Adults");
        await shown(adult, red);
        await t.fill(page, "Children or adults", "Both");
    });
    await t.claim("only what is overdue", async () => {
        await t.tick(page, "Overdue");
        await shown(red, amber);
        await t.tick(page, "Overdue", false);
        await page.getByRole("link", { name: amber.reference }).first().waitFor();
    });
    await t.claim("and what is chosen no more does not", () => page.waitForURL(/\/board$/));
}

async function initials(t, page) {
    await t.claim("with the switch no name is on the board, and initials are", async () => {
        await t.tick(page, "Initials only");
        await page.getByText(/E\.?M\.? \(child\)/).first().waitFor();
        await t.silent(page.locator("main"), /Moss|Ella|Pike|Noor/);
    });
    await t.look(page, "board-initials");
    await t.tick(page, "Initials only", false);
    await page.getByText("Ella Moss").first().waitFor();
}

async function askedByUs(t, page, red) {
    await t.link(page, "Requests", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
    await t.link(page, "Asked by us");
    await t.heading(page, "Asked by your agency");
    await t.look(page, "requests-out");
    await t.claim("a late answer can be asked for once more, and the page says that it was", async () => {
        await page.getByRole("button", { name: `Ask once more about ${red.reference} (Community health)` }).click();
        await page.getByRole("status").filter({ hasText: "Asked once more" }).first().waitFor();
    });
    await t.claim("asking again right after the question is refused, with words why", async () => {
        await page.getByRole("button", { name: `Ask once more about ${red.reference} (Probation service)` }).click();
        await page.getByRole("heading", { name: "There is a problem" }).waitFor();
    });
    await t.link(page, "Board", { exact: true });
    await t.heading(page, "Board");
}

async function wall(t, page, red) {
    await t.claim("the wall shows every column large, initials always", async () => {
        await t.link(page, "Show on a big screen");
        await t.heading(page, "Wall board");
        await page.getByText(red.reference).first().waitFor();
        await page.getByText(/E\.?M\.? \(child\)/).first().waitFor();
        await t.silent(page.locator("body"), /Moss|Ella/);
    });
    await t.claim("no card of the wall has a link", () => t.absent(page.locator("ol").getByRole("link")));
    await page.setViewportSize({ width: 1920, height: 1080 });
    await t.look(page, "wall", { bare: true });
    await t.link(page, "Leave the big screen");
    await t.heading(page, "Board");
}

// Last, because it takes this window away from its person.
async function givenToWall(t, page, url, red) {
    await t.link(page, "Show on a big screen");
    await t.claim("a screen given to the wall shows the wall alone, whatever address is typed", async () => {
        await page.getByText("Leave it on when nobody is here").click();
        await t.button(page, "Give this screen to the wall");
        await t.sees(page, "This screen shows the wall alone.");
        await page.goto(`${url}/case/${red.id}`);
        await t.heading(page, "Wall board");
        await page.getByText(red.reference).first().waitFor();
    });
    await t.claim("and nobody gets a case out of it", async () => {
        const { status } = await t.asks(page, `/api/cases/${red.id}`);
        if (status !== 403 && status !== 401) throw new Error(`it answers ${status}`);
    });
    await t.claim("and nobody's name, neither on the screen nor in what it is sent", async () => {
        const sent = (await Promise.all(["/api/board", "/api/board?all=1", "/api/session", "/api/sync"].map((at) => t.asks(page, at)))).map((a) => a.text).join(" ");
        const found = sent.match(/Moss|Ella|Pike|Noor|Hart|2015-02-03|"born_on":"|Shah|Ann/);
        if (found || !sent.includes(red.reference) || !sent.includes('"initials":"EM"')) throw new Error(`${found}: ${sent.slice(0, 600)}`);
    });
    await t.look(page, "wall-kept", { bare: true });
    await t.button(page, "Sign out of the big screen");
    await t.heading(page, "Sign in");
}
