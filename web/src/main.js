import { render } from "preact";
import "../css/main.css";
import { App } from "./app.js";
import { html } from "./html.js";

render(html`<${App} />`, document.getElementById("app"));
