// Who may in: by passphrase, by the one-time address of spoke open, and not from another site's page.
import http from "node:http";
import { run } from "./harness.mjs";

await run("signin", async (t, w) => {
    const url = await w.serve("probation");
    const page = await t.open(url, { path: "/requests/in" });
    await t.heading(page, "Sign in");
    await t.look(page, "sign-in", { bare: true });
    await t.claim("before signing in, nothing of a case and no name of a person is on the page", async () => {
        await t.silent(page.locator("body"), /C-[0-9A-Z]{8}|Jo Reed/);
    });
    await t.claim("an empty passphrase is said beside the field, and the summary takes the focus", async () => {
        await t.button(page, "Sign in", { exact: true });
        await page.getByRole("alert").getByRole("link", { name: "Enter your passphrase" }).waitFor();
        await t.focused(page, ".govuk-error-summary");
        await page.getByRole("alert").getByRole("link", { name: "Enter your passphrase" }).click();
        await t.focused(page, "#passphrase");
    });
    await t.claim("a wrong passphrase is refused with words and what to do next", async () => {
        await page.getByRole("textbox", { name: "Your passphrase" }).fill("not the one");
        await t.button(page, "Sign in", { exact: true });
        await page.getByRole("alert").getByText(/passphrase/i).first().waitFor();
    });
    await t.claim("the right passphrase opens the page that was asked for", async () => {
        await t.signIn(page, w.passphrase("probation"));
        await t.heading(page, "Asked of your agency");
    });
    await t.claim("the page says who is signed in, and where", () => t.sees(page, /Jo Reed, Probation office/));
    await t.claim("the cookie is out of reach for scripts, and for other sites", async () => {
        const [cookie] = await page.context().cookies();
        if (!cookie.httpOnly || cookie.sameSite !== "Strict" || cookie.path !== "/") throw new Error(JSON.stringify(cookie));
    });
    await t.claim("signing out leaves nothing on the page, and Back does not bring it back", async () => {
        await t.link(page, "Board", { exact: true });
        await t.heading(page, "Board");
        await t.button(page, "Sign out");
        await t.heading(page, "Sign in");
        await t.silent(page.locator("body"), /C-[0-9A-Z]{8}|Jo Reed/);
        await page.goBack();
        await page.waitForURL(/\/requests\/in$/);
        await t.heading(page, "Sign in");
        await t.silent(page.locator("body"), /C-[0-9A-Z]{8}|Jo Reed/);
    });
    await strangers(t, w, url);
}, { sites: ["probation"] });

async function strangers(t, w, url) {
    const ask = (path, init) => fetch(url + path, init).then((r) => r.status);
    t.equal("without a session the board is locked", 401, await ask("/api/board"));
    t.equal("a page of another site may not post, even what is open to all", 403,
        await ask("/api/session", { method: "POST", headers: { "Content-Type": "application/json", Origin: "http://evil.example" }, body: '{"passphrase":"x"}' }));
    t.equal("a post without an origin is refused", 403,
        await ask("/api/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"passphrase":"x"}' }));
    for (const at of ["/", "/api/session"])
        t.equal(`under a name that is not its own (rebinding) it shows nothing at ${at}`, 403, await underName(url + at, "evil.example"));
    const said = await fetch(`${url}/`);
    const policy = said.headers.get("content-security-policy") || "";
    t.ok("the pages allow no script but their own, and no markup from text",
        policy.includes("default-src 'none'") && policy.includes("script-src 'self'") && policy.includes("require-trusted-types-for 'script'") && !policy.includes("unsafe"), policy);
}

function underName(url, name) {
    return new Promise((resolve, reject) => {
        http.get(url, { headers: { Host: name } }, (answer) => {
            answer.resume();
            resolve(answer.statusCode);
        }).once("error", reject);
    });
}
