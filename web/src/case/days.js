// Which days of a chronology are shown: two dates and a button.
import { useState } from "preact/hooks";
import { day } from "../format.js";
import { html } from "../html.js";
import { Button, DateField, ErrorSummary, Form, dateFault } from "../parts/index.js";

export const daysWords = ({ from, to }) => [from && `from ${day(from)}`, to && `until the end of ${day(to)}`].filter(Boolean).join(" ");

export function Days({ onShow }) {
    const [days, setDays] = useState({ from: "", to: "" });
    const [problem, setProblem] = useState({ errors: [], turn: 0 });
    const { from, to } = days;
    const put = (name) => (value) => setDays((was) => ({ ...was, [name]: value }));
    const submit = async () => {
        const faults = [dateFault(from, "The first day"), dateFault(to, "The last day")];
        if (!faults[0] && !faults[1] && from && to && to < from) faults[1] = "The last day is before the first: give the earlier day first";
        const errors = ["from", "to"].map((id, i) => ({ id, message: faults[i] })).filter((e) => e.message);
        setProblem((was) => ({ errors, turn: was.turn + 1 }));
        if (!errors.length) onShow(days);
    };
    const fault = (id) => problem.errors.find((e) => e.id === id)?.message;
    const hint = "What does not say when it happened goes by the day it was written.";
    return html`<${Form} submit=${submit}>
        <${ErrorSummary} ...${problem} />
        <div class="case-filters" role="group" aria-label="Show only some days">
            <${DateField} id="from" label="From" small optional hint=${hint} error=${fault("from")} value=${from} onChange=${put("from")} />
            <${DateField} id="to" label="To" small optional hint="This day is shown too." error=${fault("to")} value=${to} onChange=${put("to")} />
        </div>
        <${Button} kind="secondary">Show<//>
    <//>`;
}
