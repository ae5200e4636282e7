/* Told without the case: a partner that takes no part in a case, or not any more, is told its outcome and something that is
 * known, reads both, confirms the outcome, and finds its own note again. */
import { run } from "./harness.mjs";
import { aCase } from "./story.mjs";
import { done, sent } from "./case_story.mjs";

await run("kept", async (t, w) => {
    const c = await aCase(w);
    const told = await aCase(w, { family: "Heron", given: "Ivo", rag: "green" });
    // Probation took part in the first one, wrote a note, and takes no part any more; in the second it never did.
    await w.node("mash", "case", "share", c.reference, "probation", "--access", "contribute");
    await w.inStep();
    await w.node("probation", "record", "add", c.reference, "--kind", "call", "--title", "Licence ended", "--body-file", w.file("He moved in May"));
    await w.inStep();
    await w.node("mash", "case", "unshare", c.reference, "probation");
    const known = await w.json("mash", "record", "add", told.reference, "--kind", "visit", "--title", "What the school saw", "--body-file", w.file("Seen at the gate"), "--sensitivity", "sensitive");
    await w.node("mash", "release", "grant", known.id, "probation", "--whole", "--yes");
    await w.node("mash", "feedback", "send", told.reference, "probation", "--body-file", w.file("Early help has begun"));
    await w.inStep();

    const page = await t.open(await w.serve("probation"), { path: "/board" });
    await t.signIn(page, w.passphrase("probation"));
    await t.claim("the board leads to what was told of a case that is not here", async () => {
        const box = page.getByRole("region", { name: /^Told to your agency, without the case/ });
        await box.getByText("Not confirmed yet").waitFor();
        await t.link(page, /told you an outcome/);
        await t.heading(page, "A case that is not on this device");
    });
    await t.claim("the outcome and what is told can be read there", async () => {
        await t.sees(page, "Early help has begun");
        await t.sees(page, "Seen at the gate");
    });
    await t.look(page, "kept");
    await t.claim("the outcome is confirmed, and the MASH hears it", async () => {
        await t.button(page, "We have read this");
        await done(page, /is told that you have it/);
        await t.sees(page, "They have it");
        await sent(page);
        const heard = await w.arrives("mash", "select ack_at from feedback where ack_at is not null");
        if (heard.length !== 1) throw new Error(`${heard.length} of 1 heard`);
    });
    await t.claim("an agency finds its own note in a case that was taken back", async () => {
        await page.goto(new URL(`/case/${c.id}`, page.url()).href);
        await t.heading(page, "A case that is not on this device");
        await t.sees(page, "He moved in May");
    });
    await t.claim("and may take it back as a mistake", async () => {
        await t.link(page, /^Mark as a mistake/);
        await page.getByRole("heading", { level: 2, name: /mistake/i }).first().waitFor();
    });
    await t.look(page, "kept-mistake");
}, { sites: ["mash", "probation"] });
