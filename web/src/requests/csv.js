// Many answers at once: the questions as a spreadsheet, and back again, so that nobody keys the same twice.
import { useState } from "preact/hooks";
import { call, download } from "../api.js";
import { count } from "../format.js";
import { html } from "../html.js";
import { Button, ErrorSummary, Details, FileField, Form, Notice, Page, SubNavigation } from "../parts/index.js";

const MOST = 4 * 1024 * 1024; // bytes of a file that a person filled in; the service has the last word

function Result({ of }) {
    if (of.lines.length > 0)
        return html`<${Notice} kind="error" title="Nothing was sent: some lines need mending">
            <p class="govuk-body">Mend these lines in the spreadsheet, save it, and bring it in again. All of it is taken, or nothing.</p>
            <ul class="govuk-list govuk-list--bullet">
                ${of.lines.map((l) => html`<li key=${`${l.line} ${l.message}`}>Line ${l.line}: ${l.message}</li>`)}
            </ul>
        <//>`;
    return html`<${Notice} kind="success" title="Taken in">
        ${count(of.answered, "answer")}, ${count(of.declined, "question")} declined, ${count(of.records, "record")} written. They are on this device,
        and go to the MASH with the next contact.
    <//>`;
}

export function CsvPage() {
    const [file, setFile] = useState(null);
    const [result, setResult] = useState(null);
    const [error, setError] = useState(null);
    const [turn, setTurn] = useState(0);
    const [busy, setBusy] = useState(false);
    const fail = (message) => {
        setError({ id: "file", message });
        setTurn((t) => t + 1);
    };
    const submit = async () => {
        setResult(null);
        setError(null);
        if (!file) return fail("Choose the file that you filled in");
        if (file.size > MOST) return fail("This file is larger than a list of answers can be: choose the one that you filled in");
        setBusy(true);
        try {
            setResult(await call("POST", "/api/answers.csv", { body: await file.text(), type: "text/csv" }));
        } catch (e) {
            setError({ whole: e });
            setTurn((t) => t + 1);
        }
        setBusy(false);
        return undefined;
    };
    const save = () => download("/api/requests.csv?way=in", "requests.csv").catch((e) => setError({ whole: e }));
    return html`<${ErrorSummary} error=${error?.whole} errors=${error && !error.whole ? [error] : []} turn=${turn} />
        <${Page} title="Answer many at once" lead="Take the open questions into a spreadsheet, fill in the answers, and bring the file back.">
            <${SubNavigation} name="Requests" current="/requests/csv"
                items=${[{ to: "/requests/in", text: "Asked of us" }, { to: "/requests/out", text: "Asked by us" }, { to: "/requests/csv", text: "Answer many at once" }]} />
            <div role="status">${result && html`<${Result} of=${result} />`}</div>
            <h2 class="govuk-heading-m">1. Save the questions</h2>
            <${Notice} kind="warning" title="This file is not protected">
                It holds what was asked, in plain text. Keep it where only your team can read it, and delete it when you are done.
            <//>
            <${Button} type="button" kind="secondary" onClick=${save}>Save the questions as a spreadsheet (CSV)<//>
            <h2 class="govuk-heading-m">2. Fill in the answers</h2>
            <${Details} summary="What goes into the columns">
                <p class="govuk-body"><strong>result</strong>: <code>known</code>, <code>not_known</code>, <code>nothing_relevant</code> or <code>declined</code>. Leave it empty to leave the question open.</p>
                <p class="govuk-body"><strong>reason</strong>: with <code>declined</code>, why.</p>
                <p class="govuk-body"><strong>title</strong> and <strong>body</strong>: what you know and what it means, in your own words.</p>
                <p class="govuk-body"><strong>sensitivity</strong>: <code>open</code> (all who take part see it), <code>sensitive</code> (only the MASH, until you give permission to share) or <code>restricted</code> (your agency only). Say one with each text.</p>
                <p class="govuk-body"><strong>needs_consent</strong>: <code>yes</code> if nobody else may see it without consent.</p>
                <p class="govuk-body">Leave the first four columns as they are.</p>
            <//>
            <h2 class="govuk-heading-m">3. Bring the file back</h2>
            <${Form} submit=${submit}>
                <${FileField} id="file" label="The file with your answers" hint="A CSV file" accept=".csv,text/csv" onChange=${setFile}
                    error=${error && !error.whole ? error.message : null} />
                <${Button} busy=${busy && "Taking it in …"}>Take the answers in<//>
            <//>
        <//>`;
}
