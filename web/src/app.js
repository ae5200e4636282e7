// The frame of every page: who one is, where one may go, how contact with the MASH stands, whom to ring.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.js";
import { html } from "./html.js";
import { Idle } from "./idle.js";
import { fetchRest } from "./lazy.js";
import { Done, ErrorSummary, Page } from "./parts/index.js";
import { Link, go, match, useRoute, wishFocus } from "./router.js";
import { ROUTES } from "./routes.js";
import { SignIn } from "./signin.js";
import { StatusBar } from "./status.js";
import { begin, signOut, useStore } from "./store.js";
import { WallPage } from "./board/wall.js";

export function App() {
    const { session } = useStore();
    const [failed, setFailed] = useState(null);
    const start = () => {
        setFailed(null);
        begin().catch((e) => setFailed(e instanceof ApiError ? e : new ApiError(0, { code: "failed", message: String(e.message) })));
    };
    useEffect(start, []);
    const at = useRoute();
    if (!session && !failed) return html`<${Frame}><p class="govuk-body" role="status">Loading …</p><//>`;
    if (!session)
        return html`<${Frame}>
            <${ErrorSummary} error=${failed} /><${Page} title="Spoke cannot be reached" />
            <button type="button" class="govuk-button" onClick=${start}>Try again</button>
        <//>`;
    if (!session.signed_in) return html`<${Frame}><${SignIn} key=${failed?.message} problem=${failed} /><//>`;
    if (session.wall) return html`<${WallPage} />`;
    return html`<${SignedIn} at=${at} />`;
}

function find(path) {
    for (const entry of ROUTES) {
        const found = match(entry.path, path);
        if (found) return { entry, found };
    }
    return null;
}

function SignedIn({ at }) {
    const home = at.path === "/";
    useEffect(() => {
        if (home) go("/board", { replace: true });
    }, [home]);
    // A person who has just signed in is told where they are.
    useEffect(wishFocus, []);
    useEffect(() => {
        const timer = setTimeout(fetchRest, 1000);
        return () => clearTimeout(timer);
    }, []);
    if (home) return null;
    const hit = find(at.path);
    if (hit?.entry.bare) return html`<${hit.entry.page} ...${hit.found} query=${at.query} />`;
    return html`<${Frame} current=${hit?.entry.under || hit?.entry.nav || hit?.entry.path} signedIn>
        ${at.said && html`<${Done} key=${at.said} answer=${at.said} title=${at.said.title} />`}
        ${hit ? html`<${hit.entry.page} key=${`${hit.entry.path} ${hit.found.id || ""}`} ...${hit.found} query=${at.query} />` : html`<${NoPage} />`}
    <//>`;
}

function NoPage() {
    return html`<${Page} title="There is no such page">
        <p class="govuk-body">The address may be mistyped, or be that of another version of Spoke.</p>
        <p class="govuk-body"><${Link} to="/board">Go to the board<//></p>
    <//>`;
}

function Frame({ children, current, signedIn = false }) {
    const main = useRef(null);
    const skip = (e) => {
        e.preventDefault();
        main.current.focus();
        main.current.scrollIntoView();
    };
    return html`<a href="#main" class="govuk-skip-link" onClick=${skip}>Skip to main content</a>
        <header class="spoke-top">
            <${Header} signedIn=${signedIn} />
            ${signedIn && html`<${Navigation} current=${current} />`}
        </header>
        ${signedIn && html`<${StatusBar} />`} ${signedIn && html`<${Idle} />`}
        <div class="govuk-width-container spoke-width">
            <main class="govuk-main-wrapper spoke-main" id="main" ref=${main} tabindex="-1">${children}</main>
        </div>
        <${Footer} />`;
}

function Header({ signedIn }) {
    const { session } = useStore();
    return html`<div class="spoke-header">
        <div class="govuk-width-container spoke-width spoke-header__in">
            <${Link} to="/" class="spoke-header__name">Spoke<//>
            ${session?.hub && html`<span class="spoke-header__hub">${session.hub}</span>`}
            ${signedIn && html`<span class="spoke-header__who">
                ${session.person?.name || "Somebody"}, ${session.site_name || session.site}
                <button type="button" class="spoke-header__out" onClick=${() => signOut()}>Sign out</button>
            </span>`}
        </div>
    </div>`;
}

function Navigation({ current }) {
    const items = ROUTES.filter((r) => r.title);
    return html`<div class="govuk-service-navigation">
        <div class="govuk-width-container spoke-width">
            <div class="govuk-service-navigation__container">
                <nav aria-label="Menu" class="govuk-service-navigation__wrapper">
                    <ul class="govuk-service-navigation__list">
                        ${items.map((item) => {
                            const to = item.nav || item.path;
                            const active = to === current;
                            return html`<li key=${to} class=${`govuk-service-navigation__item${active ? " govuk-service-navigation__item--active" : ""}`}>
                                <${Link} class="govuk-service-navigation__link" to=${to} aria-current=${active ? "page" : undefined}>
                                    ${active ? html`<strong class="govuk-service-navigation__active-fallback">${item.title}</strong>` : item.title}
                                <//>
                            </li>`;
                        })}
                    </ul>
                </nav>
            </div>
        </div>
    </div>`;
}

function Footer() {
    return html`<footer class="spoke-footer">
        <div class="govuk-width-container spoke-width">
            <p class="govuk-body-s">
                If somebody is in danger now, telephone 999. <a class="govuk-link" href="/licences.txt">Licences of the parts these pages are made of</a>
            </p>
        </div>
    </footer>`;
}
