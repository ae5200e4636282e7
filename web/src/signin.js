// Who is there? The passphrase says it: nobody is asked for a user name.
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { Button, Details, ErrorSummary, Field, Form, Heading, Notice } from "./parts/index.js";
import { Phone } from "./status.js";
import { signIn, useStore } from "./store.js";

export function SignIn({ problem }) {
    const { session, ended } = useStore();
    const [passphrase, setPassphrase] = useState("");
    const [error, setError] = useState(problem);
    const [turn, setTurn] = useState(0);
    const [busy, setBusy] = useState(false);
    const [shown, setShown] = useState(false);
    // A text that may be filled in again is kept by the browser on the disk: never while the passphrase is shown.
    const empty = error?.code === "empty";
    const submit = async () => {
        setTurn((t) => t + 1);
        if (!passphrase) return setError({ code: "empty", message: "Enter your passphrase" });
        setBusy(true);
        setError(null);
        try {
            await signIn(passphrase);
        } catch (e) {
            setPassphrase("");
            setError(e);
            setBusy(false);
        }
        return undefined;
    };
    return html`${empty
            ? html`<${ErrorSummary} errors=${[{ id: "passphrase", message: error.message }]} turn=${turn} />`
            : html`<${ErrorSummary} error=${error} turn=${turn} />`}
        <${Heading} title="Sign in" />
        ${ended &&
        html`<${Notice} title="You were signed out">
            Nobody was at work here for a while, this device was locked, or it has to reach the MASH first. Sign in to go on where you were; if that is
            not possible, it says why.
        <//>`}
        <${Form} submit=${submit}>
            <input type="text" name="username" autocomplete="username" value=${"Spoke on this device"} hidden readonly />
            <${Field} id="passphrase" label="Your passphrase" hint="It opens what is kept on this device, and says who you are. It is never sent anywhere."
                type=${shown ? "text" : "password"} width="20" autocomplete=${shown ? "off" : "current-password"} value=${passphrase} onChange=${setPassphrase}
                error=${empty ? error.message : null} />
            <div class="spoke-row">
                <${Button} busy=${busy && "Opening …"}>Sign in<//>
                <${Button} kind="secondary" type="button" aria-pressed=${shown} onClick=${() => setShown(!shown)}>${shown ? "Hide passphrase" : "Show passphrase"}<//>
            </div>
        <//>
        <${Details} summary="What is this?">
            <p class="govuk-body">
                Spoke lets you take part in the work of the MASH from here. This device keeps an encrypted copy of what your agency
                may see, so that you can work with no network for weeks. What you do is sent to the MASH when there is contact.
            </p>
            <p class="govuk-body">
                Forgotten your passphrase? Ask whoever looks after Spoke in your office: somebody else who uses this device can give
                you a new one. Nobody can tell you the old one.
            </p>
        <//>
        <p class="govuk-body">To talk to somebody: <${Phone} phone=${session?.phone} /></p>`;
}
