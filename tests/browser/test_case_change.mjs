// An own record is put right after it was sent: what may be changed, who gains or loses it, and never over somebody else's
// words. Another one is told by word of mouth, so that no text of it is anywhere else.
import { CONTACT, run } from "./harness.mjs";
import { aFamily, done, openCase, part, problem, sent, tab } from "./case_story.mjs";

await run("case_change", async (t, w) => {
    const c = await aFamily(w);
    await w.inStep();
    const made = await w.json(
        "probation",
        "record",
        "add",
        c.reference,
        "--kind",
        "offence",
        "--title",
        "Licence",
        "--body-file",
        w.file("He may come by day."),
        "--sensitivity",
        "sensitive",
    );
    await w.node("probation", "release", "grant", made.id, "health", "--whole", "--yes");
    await w.inStep();
    const page = await openCase(t, w, await w.serve("probation"), "probation", `/case/${c.reference}/chronology`);
    await part(page, "Chronology");
    await change(t, w, page, c);
    await w.serve("mash");
    await spoken(t, w, page, c);
});

async function change(t, w, page, c) {
    const entry = page.getByRole("listitem").filter({ has: page.getByRole("heading", { level: 3, name: /^Licence/ }) });
    const body = page.getByRole("textbox", { name: "What you know, and what it means" });
    await t.claim("an own record opens as it stands, and whom it is about is not offered", async () => {
        await t.link(page, /^Change this record.*Licence/);
        await part(page, "Change your record");
        await t.value(body, "He may come by day.");
        await t.checked(page.getByRole("radio", { name: /^Sensitive/ }));
        await t.absent(page.getByRole("combobox", { name: "Whom is it about?" }));
        await t.sees(page, "An agency that was told about this by permission keeps what it was told then.");
    });
    await t.claim("before it is saved the page says who gains or loses it", async () => {
        await t.choose(page, /^Not sensitive/);
        await page.getByText(/With this change it is for everybody who takes part\. .* What somebody has read cannot be taken back/).waitFor();
        await t.choose(page, /^Only your agency/);
        await page.getByText(/With this change it is for your agency alone\. .* told to forget it/).waitFor();
        await t.choose(page, /^Sensitive/);
        await page.getByText(/With this change it is for/).waitFor({ state: "detached" });
    });
    await t.look(page, "record-change");
    await t.claim("nothing that differs is said, and nothing is written", async () => {
        await t.button(page, "Save this change");
        await problem(page, /There is nothing to change/);
    });
    await t.claim("where somebody changed it meanwhile nothing is saved, and the page says so and shows what it says now", async () => {
        await t.fill(page, "In one line", "Licence, and its conditions");
        const record = new URL(page.url()).pathname.split("/").at(-2);
        await w.node("probation", "record", "set", record, "body=He may come by day, never at night.");
        await t.button(page, "Save this change");
        await problem(page, /Somebody changed this since you opened it/);
        await page.getByRole("heading", { name: "Somebody changed this since you opened it" }).waitFor();
        await t.sees(page, "He may come by day, never at night.");
    });
    await t.look(page, "record-change-meanwhile");
    await t.claim("read, it goes on: what one changed stays, and what the other one wrote is kept", async () => {
        await t.button(page, "I have read it: go on with my change");
        await t.value(body, "He may come by day, never at night.");
        await t.choose(page, /^Not sensitive/);
        await t.button(page, "Save this change");
        await done(page, "Your record is changed");
        await entry.getByRole("heading", { name: "Licence, and its conditions" }).waitFor();
        await entry.getByText("He may come by day, never at night.").waitFor();
        await entry.getByText("Everybody who takes part in this case sees this.").waitFor();
    });
    await sent(page);
    const there = await w.arrives("health", "select body from record where title = 'Licence, and its conditions'");
    t.equal("others who take part read it now", "He may come by day, never at night.", there.map((r) => r.body).join());
    await t.claim("narrowed again, it leaves them", async () => {
        await t.link(page, /^Change this record.*Licence/);
        await t.choose(page, /^Only your agency/);
        await t.button(page, "Save this change");
        await done(page, "Your record is changed");
        await entry.getByText("Nobody else can see this: you marked it for your agency alone.").waitFor();
    });
    await sent(page);
    const left = await w.arrives("health", "select id from record where title like 'Licence%'", (rows) => rows.length === 0);
    t.equal("others do not have it any more", 0, left.length);
    await t.claim("another agency's record is not offered for a change, nor opened by its address", async () => {
        await w.node("health", "record", "add", c.reference, "--kind", "health", "--title", "Weight", "--body-file", w.file("As it should be."));
        await w.json("health", "sync");
        await page.getByRole("heading", { level: 3, name: "Weight" }).waitFor({ timeout: CONTACT });
        await t.absent(page.getByRole("link", { name: /^Change this record.*Weight/ }));
        const [theirs] = await w.sql("health", "select id from record where title = 'Weight'");
        await page.goto(`${w.services.probation.url}/case/${c.reference}/chronology/record/${theirs.id}/change`);
        await page.getByRole("alert").filter({ hasText: "Only its writer can change it" }).waitFor();
    });
}

// Asked at one place, told by word of mouth at the other: it stays on record that they were told, and no text is anywhere.
async function spoken(t, w, page, c) {
    const secret = "He owes money to a man called Rex.";
    const room = await openCase(t, w, w.services.mash.url, "mash", `/case/${c.reference}/permission/ask`);
    await t.fill(room, "Which agency do you ask?", "Probation service");
    await t.fill(room, "What do you need it for?", "To know who may come to the door.");
    await t.claim("by word of mouth: one place asks", async () => {
        await t.button(room, "Ask Probation service");
        await done(room, "Probation service is asked for permission");
    });
    await sent(room);
    await page.goto(`${w.services.probation.url}/case/${c.reference}/chronology/add`);
    await t.fill(page, "What kind of information is it?", "Note");
    await t.fill(page, "In one line", "Debts that may be called in");
    await t.fill(page, "What you know, and what it means", secret);
    await t.choose(page, /^Only your agency/);
    await t.button(page, "Keep this record for your agency");
    await done(page, "Your record was added");
    await t.claim("by word of mouth: the other place says that it will ring them, and sees that no text goes", async () => {
        await page.goto(`${w.services.probation.url}/case/${c.reference}/permission`);
        await page.getByText("To know who may come to the door.").first().waitFor({ timeout: CONTACT });
        await t.link(page, "Choose what they are told");
        await t.choose(page, "Debts that may be called in");
        await t.choose(page, /^By word of mouth/);
        await t.fill(page, "Conditions", "Tell nobody at the house");
        await t.button(page, "Show me what they would get");
        const shown = page.getByRole("region", { name: "This is all that Children's social care gets" });
        await shown.getByText("No text. Ring them and tell them.").waitFor();
        await t.silent(shown, /Rex|called in/);
    });
    await t.look(page, "spoken-preview");
    await t.claim("by word of mouth: it is told", async () => {
        await t.button(page, "Tell Children's social care exactly this");
        await done(page, "Children's social care is told");
    });
    await sent(page);
    await t.claim("by word of mouth: who asked sees that they were told so, with the conditions and by whom", async () => {
        await room.goto(`${w.services.mash.url}/case/${c.reference}/permission`);
        const told = room.getByRole("listitem").filter({ hasText: "By word of mouth: no text" });
        await told.getByRole("heading", { name: "Probation service told Children's social care" }).waitFor({ timeout: CONTACT });
        await told.getByText("Jo Reed").waitFor();
        await tab(t, room, "Chronology");
        await room.getByText("Tell nobody at the house").first().waitFor();
    });
    await t.look(room, "spoken-told");
    await t.claim("by word of mouth: nothing of the record's text is on any of its pages", async () => {
        const told = { Chronology: "Tell nobody at the house", "Permission to share": "By word of mouth: no text" };
        for (const name of ["Overview", "Chronology", "Permission to share", "One-page summary"]) {
            await t.link(room, new RegExp(`^${name}`), { within: room.getByRole("navigation", { name: "Parts of this case" }) });
            if (name === "One-page summary") await room.getByRole("heading", { level: 1 }).filter({ hasText: c.reference }).waitFor();
            else await part(room, name);
            await t.drawn(room);
            if (told[name]) await room.getByText(told[name]).first().waitFor();
            await t.silent(room.locator("body"), /Rex|called in/);
        }
    });
    await room.context().close();
    await w.stop("serve-mash");
    for (const sql of ["select title, body from release", "select title, body from record", "select id from release_source"]) {
        const rows = await w.sql("mash", sql);
        t.ok(`by word of mouth: nor on its device (${sql.split(" ").at(-1)})`, !/Rex|called in/.test(JSON.stringify(rows)), JSON.stringify(rows));
    }
}
