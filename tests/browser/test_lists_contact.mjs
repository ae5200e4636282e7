/* Contact with the MASH: offline and back, what became of each change, a round by USB stick, files that are no answer, work
 * that was not accepted and is let go, and a device that was cut off. */
import fs from "node:fs";
import path from "node:path";
import { CONTACT, run } from "./harness.mjs";
import { aCase } from "./story.mjs";

const RED = "The MASH does NOT have this yet. Phone 01632 960100";
const menu = (page) => page.getByRole("navigation", { name: "Menu" });
const bar = (page) => page.getByRole("region", { name: "Contact with the MASH" });

await run(
    "lists_contact",
    async (t, w) => {
        const shared = await aCase(w, { rag: "amber", family: "Pike", given: "Noor" });
        await w.node("mash", "case", "share", shared.reference, "probation", "--access", "contribute", "--basis", "Working Together 2023");
        await w.inStep();
        await w.stopHub();
        const red = await aCase(w, { at: "probation", rag: "red", summary: "Seen alone at the station" });
        await w.node("probation", "case", "set", shared.reference, "status=decided");
        const url = await w.serve("probation");
        const page = await t.open(url, { path: "/sync" });
        await t.signIn(page, w.passphrase("probation"));
        await t.heading(page, "Contact with the MASH");
        await offline(t, page, red);
        await everywhere(t, page, red);
        await back(t, w, page, red);
        await letGo(t, w, page, shared);
        await w.stopHub();
        await byStick(t, w, page, shared);
        await wrongFiles(t, page);
        await cutOff(t, w, page);
    },
    { sites: ["mash", "probation"] },
);

async function contactPage(t, page) {
    await t.link(page, "Contact", { exact: true, within: menu(page) });
    await t.heading(page, "Contact with the MASH");
}
// The row of “Your changes” that says this.
function change(page, ...texts) {
    return texts.reduce((rows, text) => rows.filter({ hasText: text }), page.getByRole("region", { name: "Your changes" }).getByRole("row"));
}

async function offline(t, page, red) {
    await t.claim("offline: it says so, since when, and how much is held only here", async () => {
        await bar(page).getByText("Offline", { exact: true }).waitFor();
        await page.getByText(/^\d+ changes, the oldest from Today at \d\d:\d\d$/).waitFor();
        await t.sees(page, /Last contact with the MASH: Today at \d\d:\d\d \((just now|\d+ minutes? ago)\)/);
    });
    await t.claim("each change of this device stands there, as not sent yet, with its case", async () => {
        await change(page, red.reference, "Not sent yet").first().waitFor();
    });
    await t.claim("a try that does not reach the MASH says so in plain words, and that nothing is lost", async () => {
        await t.button(page, "Contact the MASH now");
        const told = page.getByRole("group", { name: "The last contact did not succeed" });
        const [text, detail] = (await t.reads(told, "Nothing is lost", "USB stick", "Detail for support:")).split("Detail for support:");
        if (!detail.includes("connect to server") || /connect to server|spoke \w+|curl|http|sync\b/i.test(text)) throw new Error(text + detail);
    });
    await t.look(page, "contact-offline");
}

async function everywhere(t, page, red) {
    const said = async () => page.getByRole("alert").filter({ hasText: RED }).first().getByRole("link", { name: red.reference }).waitFor();
    const links = await t.until(() => menu(page).getByRole("link").allInnerTexts(), (found) => found.length >= 9).catch(() => []);
    const names = links.map((name) => name.trim());
    await t.claim(`an unsent red referral is said with the number of the hour on every page: ${names.join(", ")}`, async () => {
        if (names.length < 9) throw new Error("the menu has fewer pages than there are");
        for (const name of names) {
            await t.link(page, name, { exact: true, within: menu(page) });
            await page.getByRole("link", { name, exact: true }).and(page.locator("[aria-current=page]")).waitFor();
            await said();
        }
    });
    await t.claim("and on the case itself, where the line leads", async () => {
        await page.getByRole("alert").filter({ hasText: RED }).getByRole("link", { name: red.reference }).first().click();
        await page.getByRole("navigation", { name: "Parts of this case" }).waitFor();
        await said();
    });
    await contactPage(t, page);
}

async function back(t, w, page, red) {
    await w.startHub();
    await t.claim("hub back: the warning goes away by itself, without a click", async () => {
        await page.getByText(RED).first().waitFor({ state: "detached", timeout: CONTACT });
        await bar(page).getByText("Online", { exact: true }).waitFor();
    });
    await t.claim("and what was not sent is said to be taken in", () => change(page, red.reference, "Taken in").first().waitFor());
    await t.claim("no change says any more that it was not sent", () => t.gone(change(page, "Not sent yet")));
    await w.json("mash", "sync");
    const [there] = await w.sql("mash", `select rag from case_file where reference = '${red.reference}'`);
    t.equal("the MASH has it, red", "red", there?.rag);
}

async function letGo(t, w, page, shared) {
    const row = () => change(page, shared.reference, "Changed a case").first();
    await t.claim("what a rule stands against says so, and why", async () => {
        await change(page, shared.reference, "Not accepted yet").first().waitFor();
        await t.sees(page, /^1 change See which$/);
    });
    await t.look(page, "contact-held");
    await t.claim("its author may let it go, after being asked once", async () => {
        await row().getByRole("button", { name: /^Let this text go/ }).click();
        await row().getByRole("button", { name: /^Keep it/ }).click();
        await row().getByRole("button", { name: /^Let this text go/ }).click();
        await row().getByRole("button", { name: /^Yes, let it go for good/ }).click();
        await row().getByText("Its text is not kept here any more.").waitFor();
    });
    const left = await w.arrives("mash", "select state from held", (rows) => rows.length === 1 && rows[0].state !== "waiting");
    t.equal("then no manager is asked about it any more", "withdrawn", left.map((h) => h.state).join());
}

// The file for the MASH by the page, over there, and its answer back into the page; what the page said.
async function stickRound(t, w, page) {
    const out = path.join(w.folder, "from-the-page");
    const answer = path.join(w.folder, "from-the-hub");
    const [file] = await Promise.all([page.waitForEvent("download"), t.button(page, "Save the file for the MASH")]);
    await file.saveAs(out);
    await w.hub("bundle", "exchange", out, answer);
    return { out, answer, said: await takeIn(t, page, answer, "Taken in") };
}
async function takeIn(t, page, file, outcome) {
    await page.getByLabel("The file that came back from the MASH").setInputFiles(file);
    const answered = page.waitForResponse((r) => r.url().endsWith("/api/bundle/import"));
    await t.button(page, "Take the answer in");
    await answered;
    const told = page.getByRole("alert").filter({ hasText: outcome });
    await told.waitFor();
    return told.innerText();
}

async function byStick(t, w, page, shared) {
    await w.node("probation", "record", "add", shared.reference, "--kind", "note", "--title", "By stick", "--body-file", w.file("He keeps his appointments."));
    await page.getByText(/^1 change, the oldest from/).waitFor();
    let made = null;
    await t.claim("with no network the changes go into a file, and the page says in words what came of its answer", async () => {
        made = await stickRound(t, w, page); // whatever the tries over the network had begun
        if (!/1 change of yours arrived at the MASH/.test(made.said)) throw new Error(made.said);
    });
    t.ok("nothing of it can be read on the stick", !/appointments|By stick|Pike|Noor/.test(fs.readFileSync(made.out, "latin1")));
    await t.claim("nothing is held only on this device any more", async () => {
        await t.sees(page, "Nothing: the MASH has all that was written here");
        await bar(page).getByText("Nothing is held only on this device").waitFor();
        await change(page, shared.reference, "Added a record", "Taken in").first().waitFor();
    });
    await t.look(page, "contact-stick");
    await t.claim("the same answer once more is refused in words, and does no harm", async () => {
        const said = await takeIn(t, page, made.answer, "There is a problem");
        if (!/taken before/.test(said)) throw new Error(said);
        await t.sees(page, "Nothing: the MASH has all that was written here");
    });
    await t.claim("the file for the MASH is no answer, and the page says so", async () => {
        const said = await takeIn(t, page, made.out, "There is a problem");
        if (!plain(said)) throw new Error(said);
    });
    await w.startHub();
    await w.json("mash", "sync");
    t.equal("the MASH has the record that went by stick", 1, (await w.sql("mash", "select id from record where title = 'By stick'")).length);
    await w.stopHub();
}
// Words for a tired person: whole sentences, and none of a programmer's.
function plain(text) {
    return text.length > 60 && /[A-Z][^.]+\./.test(text.replace("There is a problem", "")) && !/\b(bytes?|CBOR|COSE|magic|decode|parse|sync|bundle|null|undefined|octet|spoke \w+)\b/.test(text);
}

async function wrongFiles(t, page) {
    const rows = page.getByRole("region", { name: "Your changes" }).getByRole("row");
    const before = await rows.count();
    const files = [
        ["a text that is no answer", Buffer.from("Dear MASH, <script>alert(1)</script>")],
        ["an empty file", Buffer.alloc(0)],
        ["ten thousand letters", Buffer.alloc(10000, "a")],
        ["a photograph", Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(5000, 7)])],
    ];
    await t.claim("no file chosen: it says which one is wanted", async () => {
        await page.reload();
        await t.heading(page, "Contact with the MASH");
        await t.button(page, "Take the answer in");
        await page.getByRole("alert").getByText("Choose the file that came back from the MASH").first().waitFor();
    });
    for (const [what, buffer] of files)
        await t.claim(`${what}: plain words, and nothing is changed`, async () => {
            const said = await takeIn(t, page, { name: "answer.spoke", mimeType: "application/octet-stream", buffer }, "There is a problem");
            if (!plain(said)) throw new Error(said);
        });
    await t.look(page, "contact-wrong-file");
    await t.claim("and the list of changes is as long as before", () => t.counts(rows, before));
}

async function cutOff(t, w, page) {
    const devices = JSON.parse(await w.hub("node", "list", "--json"));
    const mine = devices.find((d) => d.site === "probation");
    await w.hub("node", "revoke", mine.id, "--reason", "Reported stolen");
    await w.startHub();
    await t.claim("a device that was cut off says so, and whom to telephone", async () => {
        await t.button(page, "Contact the MASH now");
        const told = page.getByRole("group", { name: "The MASH has cut this device off" });
        await told.waitFor({ timeout: CONTACT });
        await t.reads(told, /[Pp]hone/);
    });
    await t.look(page, "contact-cut-off");
}
