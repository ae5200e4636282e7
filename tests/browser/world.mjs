// Real programs in a folder of their own: a hub, nodes at sites of three agencies, and the service of each.
import { execFile, spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const bin = process.env.SPOKE_BIN;
if (!bin) throw new Error("SPOKE_BIN: the folder of spoke and spoke-hub");

// What tests/e2e/lib.sh and packaging/demo-run set up too. kind, areas, people with their duties.
export const SITES = {
    mash: { agency: "csc", kind: "mash", name: "MASH room", who: "Sam Okafor", role: "MASH manager", phone: "01632 960100" },
    probation: { agency: "probation", kind: "partner", name: "Probation office", who: "Jo Reed", role: "Probation officer" },
    health: { agency: "health", kind: "partner", name: "Health clinic", who: "Mina Shah", role: "Health visitor" },
};
const AGENCIES = [
    ["csc", "Children's social care", "social_care"],
    ["probation", "Probation service", "probation"],
    ["health", "Community health", "health"],
];

/* A port that is chosen before anybody listens there, and kept while its program is stopped: below those that the system gives to
 * whoever asks for any, of which another program's connection could have it by then. */
async function freePort() {
    const isFree = (port) =>
        new Promise((resolve) => {
            const server = net.createServer();
            server.once("error", () => resolve(false));
            server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
        });
    for (let i = 0; i < 50; i++) {
        const port = crypto.randomInt(10240, 30240);
        if (await isFree(port)) return port;
    }
    throw new Error("no port is free");
}

// Bounds on what hangs, however slow the machine is.
const COMMAND = 180000; // ms of one command, or until a service is ready
const ARRIVES = 120000; // until something that was sent is at another device
const ENDS = 60000; // until a service that was asked to end has

// The first line that a program prints says that it is ready.
function firstLine(child, what, log) {
    return new Promise((resolve, reject) => {
        let text = "";
        const timer = setTimeout(() => reject(new Error(`${what} was not ready within ${COMMAND / 1000} seconds`)), COMMAND);
        const end = (fn, value) => {
            clearTimeout(timer);
            fn(value);
        };
        child.stdout.on("data", (chunk) => {
            text += chunk;
            const at = text.indexOf("\n");
            if (at >= 0) end(resolve, text.slice(0, at));
        });
        child.once("error", (e) => end(reject, e));
        child.once("exit", (code) => end(reject, new Error(`${what} ended with ${code}: ${fs.readFileSync(log, "utf8").slice(-800)}`)));
    });
}

export class World {
    // sites: names of SITES whose nodes are wanted. idle: seconds until a session ends.
    static async make({ sites = ["mash", "probation", "health"], idle } = {}) {
        const w = new World();
        w.folder = fs.mkdtempSync(path.join(os.tmpdir(), "spoke-browser."));
        w.running = new Map(); // name → child
        w.stopped = new Map(); // name → when it had ended, the last time
        w.idle = idle;
        w.services = {};
        const config = path.join(w.folder, "config/spoke");
        fs.mkdirSync(config, { recursive: true });
        fs.mkdirSync(path.join(w.folder, "runtime"), { mode: 0o700 });
        // Passphrases that are checked at once: these protect nothing.
        fs.writeFileSync(path.join(config, "config"), "[spoke]\nunlock-time = 0\n[spoke-hub]\nunlock-time = 0\n");
        w.env = { ...process.env, XDG_CONFIG_HOME: path.join(w.folder, "config"), XDG_RUNTIME_DIR: path.join(w.folder, "runtime") };
        delete w.env.CREDENTIALS_DIRECTORY;
        process.once("exit", () => w.killAll());
        for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
        try {
            await w.setUp(sites);
        } catch (e) {
            await w.end();
            throw e;
        }
        return w;
    }

    secret(name) {
        const file = path.join(this.folder, `${name}.pass`);
        if (!fs.existsSync(file)) fs.writeFileSync(file, `${crypto.randomBytes(15).toString("base64url")}\n`, { mode: 0o600 });
        return file;
    }
    passphrase(name) {
        return fs.readFileSync(this.secret(name), "utf8").trim();
    }

    // A command, its standard output; exit 3 is a success that wants a person. fails: it must end with this code instead.
    run(program, name, args, { fails } = {}) {
        const all = ["--home", path.join(this.folder, name), "--passphrase-file", this.secret(name), "--no-input", ...args];
        return new Promise((resolve, reject) => {
            execFile(path.join(bin, program), all, { env: this.env, maxBuffer: 64 << 20, timeout: COMMAND }, (e, stdout, stderr) => {
                const code = e ? e.code : 0;
                if (fails === undefined ? code === 0 || code === 3 : code === fails) resolve(stdout);
                else reject(new Error(`${program} ${args.join(" ")} (${name}) ended with ${code}: ${stderr.slice(-800)}`));
            }).stdin?.end();
        });
    }
    hub(...args) {
        return this.run("spoke-hub", "hub", args);
    }
    node(name, ...args) {
        return this.run("spoke", name, args);
    }
    async json(name, ...args) {
        return JSON.parse(await this.node(name, ...args, "--json"));
    }
    sql(name, select) {
        return this.json(name, "sql", select);
    }
    // A file with this text, for commands that take one.
    file(text) {
        const file = path.join(this.folder, `text-${crypto.randomBytes(6).toString("hex")}`);
        fs.writeFileSync(file, text, { mode: 0o600 });
        return file;
    }

    async setUp(sites) {
        this.hubPort = await freePort(); // invitations carry the address
        await this.hub("init", "--name", "North MASH");
        for (const [code, name, kind] of AGENCIES) await this.hub("agency", "add", code, name, "--kind", kind);
        for (const [name, s] of Object.entries(SITES)) {
            const phone = s.phone ? ["--phone", s.phone] : [];
            await this.hub("site", "add", name, s.agency, s.name, "--kind", s.kind, "--area", "north", ...phone);
            const made = JSON.parse(await this.hub("practitioner", "add", name, s.who, "--role", s.role, "--json"));
            if (s.kind === "mash") for (const duty of ["manager", "social_care"]) await this.hub("duty", "add", made.id, "north", duty);
        }
        for (const name of sites)
            await this.hub("invite", name, "--address", `http://127.0.0.1:${this.hubPort}`, "--code-file", path.join(this.folder, `${name}.code`));
        await this.startHub();
        await Promise.all(sites.map((name) => this.node(name, "enrol", "--code-file", path.join(this.folder, `${name}.code`), "--user", SITES[name].who)));
        this.sites = sites;
        await this.inStep();
    }

    async start(what, program, args, name) {
        const log = path.join(this.folder, `${what}.log`);
        const err = fs.openSync(log, "w");
        const child = spawn(path.join(bin, program), ["--home", path.join(this.folder, name), "--passphrase-file", this.secret(name), "--no-input", ...args], {
            env: this.env, stdio: ["ignore", "pipe", err],
        });
        fs.closeSync(err);
        this.running.set(what, child);
        const line = await firstLine(child, what, log);
        child.stdout.resume();
        return line;
    }
    async stop(what) {
        const child = this.running.get(what);
        if (!child) return;
        this.running.delete(what);
        if (child.exitCode !== null || child.signalCode !== null) return;
        this.stopped.set(what, Infinity);
        let timer = 0;
        const gone = new Promise((resolve) => child.once("exit", () => resolve(true)));
        const late = new Promise((resolve) => (timer = setTimeout(() => resolve(false), ENDS)));
        child.kill("SIGTERM");
        const ended = await Promise.race([gone, late]);
        clearTimeout(timer);
        this.stopped.set(what, Date.now());
        if (ended) return;
        child.kill("SIGKILL");
        throw new Error(`${what} did not end within ${ENDS / 1000} seconds of SIGTERM`);
    }
    startHub() {
        return this.start("hub", "spoke-hub", ["serve", "--listen", `127.0.0.1:${this.hubPort}`], "hub");
    }
    stopHub() {
        return this.stop("hub");
    }
    // Commands at each node until nobody has anything to say; not for nodes whose service is running and keeps in step itself.
    async inStep(names = this.sites) {
        for (let i = 0, quiet = 0; quiet < names.length; i++) {
            if (i > 30) throw new Error("the nodes do not come to rest");
            const said = await this.json(names[i % names.length], "sync");
            quiet = said.rows_in + said.rows_dropped + said.sent === 0 ? quiet + 1 : 0;
        }
    }

    // What `at` has once it is in step: asks again until `good(rows)` holds, or the time is over. → the rows, of which the claim is.
    async arrives(at, select, good = (rows) => rows.length > 0) {
        let rows = [];
        for (const end = Date.now() + ARRIVES; Date.now() < end; ) {
            await this.json(at, "sync");
            rows = await this.sql(at, select);
            if (good(rows)) return rows;
            await new Promise((resolve) => setTimeout(resolve, 200));
        }
        return rows;
    }

    // The service of a node; its address. The same port again when it comes back.
    async serve(name, ...more) {
        const port = this.services[name]?.port || (await freePort());
        const idle = this.idle ? ["--idle", `${this.idle}s`, "--phone", "01632 960100"] : ["--phone", "01632 960100"];
        this.services[name] = { port, url: `http://127.0.0.1:${port}` };
        await this.start(`serve-${name}`, "spoke", ["serve", "--listen", `127.0.0.1:${port}`, ...idle, ...more], name);
        return this.services[name].url;
    }

    killAll() {
        for (const child of this.running.values()) child.kill("SIGKILL");
        this.running.clear();
    }
    async end() {
        for (const what of [...this.running.keys()].reverse()) await this.stop(what);
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}
