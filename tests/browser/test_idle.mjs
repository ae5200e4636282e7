// Left alone, the page lets nobody in, and loses nothing that its person typed.
import { CONTACT, run } from "./harness.mjs";

const IDLE = 12; // seconds; a third of it is there to press “Stay signed in”

await run(
    "idle",
    async (t, w) => {
        const url = await w.serve("probation");
        const page = await t.open(url);
        await t.signIn(page, w.passphrase("probation"));
        await t.link(page, "New referral", { exact: true, within: page.getByRole("navigation", { name: "Menu" }) });
        await t.fill(page, "What has happened", "Seen alone at the station at night.");
        await t.claim("before it ends, the page says so and offers to stay", async () => {
            await t.button(page, "Stay signed in");
            await page.getByRole("button", { name: "Stay signed in" }).waitFor({ state: "detached" });
        });
        await t.claim("typing keeps the session open, though nothing is saved by it", async () => {
            const field = page.getByRole("textbox", { name: "What has happened" });
            for (const end = Date.now() + (IDLE + 1) * 1000; Date.now() < end; ) {
                await field.press("End");
                await page.waitForTimeout(500);
            }
            await field.press("End"); // it is there, which it is not for who was signed out
        });
        await t.claim("when nobody is there, it ends by itself, and nothing that was open stays on the page", async () => {
            await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor({ timeout: CONTACT });
            await t.sees(page, "You were signed out");
            const text = await page.evaluate(() => document.documentElement.outerHTML);
            if (text.includes("at the station")) throw new Error("what was typed is in the page");
            await t.absent(page.getByRole("textbox", { name: "What has happened" }));
        });
        await t.look(page, "signed-out", { bare: true });
        await t.claim("signing in again leads back to where one was, with what was typed", async () => {
            await t.signIn(page, w.passphrase("probation"));
            await t.heading(page, "New referral");
            await t.value(page.getByRole("textbox", { name: "What has happened" }), "Seen alone at the station at night.");
        });
        await t.claim("spoke lock on this device takes the page away at once", async () => {
            await w.node("probation", "lock");
            await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
        });
        await launch(t, w, url);
    },
    { sites: ["probation"], idle: IDLE },
);

// spoke open prints the address when there is no browser to start.
async function launch(t, w, url) {
    const said = await w.node("probation", "open", "--print");
    const address = said.match(/https?:\S+/)[0];
    await t.claim("the address that spoke open gives signs in without a passphrase, once", async () => {
        const page = await t.open(url, { path: new URL(address).pathname + new URL(address).hash });
        await t.heading(page, "Board");
        if (new URL(page.url()).hash) throw new Error(`the token stays in the address: ${page.url()}`);
        const again = await t.open(url, { path: new URL(address).pathname + new URL(address).hash });
        await t.heading(again, "Sign in");
        await again.getByRole("alert").first().waitFor();
    });
}
